//! Reads a request's body: JSON, at most 1 MiB, in bounded time.

use super::routes::Takes;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, header};
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Incoming};
use pm_proto::error::{reason, status};
use std::time::Duration;
use tonic::{Code, Status};

/// Largest body. A spec has a few kilobytes; a thousand of them fit.
const MAX_BYTES: usize = 1024 * 1024;
/// A body that is too large is read on to its end, up to this, and thrown
/// away: who is still sending does not see an answer.
const MAX_DISCARDED: usize = 32 * 1024 * 1024;
/// Longest time for a body to come, whatever its size.
const MAX_TIME: Duration = Duration::from_secs(15);

/// The body's bytes; none when the route takes none.
pub(crate) async fn read(takes: Takes, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Status> {
    let too_slow = |_| {
        let message = format!("the body did not come within {} s", MAX_TIME.as_secs());
        status(Code::DeadlineExceeded, reason::REQUEST_TIMEOUT, message, &[])
    };
    let bytes = tokio::time::timeout(MAX_TIME, collect(headers, body)).await.map_err(too_slow)??;
    match takes {
        Takes::Nothing if !bytes.is_empty() => Err(invalid("this route takes no body; use the query")),
        Takes::Nothing => Ok(Bytes::new()),
        Takes::Message | Takes::Spec => {
            if !bytes.is_empty() {
                require_json(headers)?;
            }
            Ok(bytes)
        }
    }
}

async fn collect(headers: &HeaderMap, mut body: Incoming) -> Result<Bytes, Status> {
    // A client that asks first has sent nothing yet: tell it at once.
    let asks_first = headers.contains_key(header::EXPECT);
    if asks_first && body.size_hint().lower() > MAX_BYTES as u64 {
        return Err(too_large());
    }
    let mut bytes = BytesMut::new();
    let mut seen = 0_usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| invalid(&format!("the body broke off: {error}")))?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > MAX_DISCARDED {
            break;
        }
        if seen <= MAX_BYTES {
            bytes.extend_from_slice(&data);
        }
    }
    if seen > MAX_BYTES { Err(too_large()) } else { Ok(bytes.freeze()) }
}

fn require_json(headers: &HeaderMap) -> Result<(), Status> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"));
    if json {
        return Ok(());
    }
    let what = if kind.is_empty() { String::from("no Content-Type") } else { format!("Content-Type {kind:?}") };
    let message = format!("the body has {what}; send application/json");
    Err(status(Code::InvalidArgument, reason::UNSUPPORTED_MEDIA_TYPE, message, &[]))
}

fn too_large() -> Status {
    let message = format!("the body is larger than the {MAX_BYTES} bytes allowed; apply fewer processes at a time");
    status(Code::ResourceExhausted, reason::REQUEST_TOO_LARGE, message, &[("limit", &MAX_BYTES.to_string())])
}

fn invalid(message: &str) -> Status {
    status(Code::InvalidArgument, reason::INVALID_ARGUMENT, message, &[])
}

#[cfg(test)]
mod tests {
    use super::{HeaderMap, header, require_json};

    #[test]
    fn json_media_types_are_accepted_and_others_are_not() {
        for (kind, expected) in [
            ("application/json", true),
            ("application/json; charset=utf-8", true),
            ("Application/JSON", true),
            ("application/merge-patch+json", true),
            ("application/yaml", false),
            ("text/plain", false),
            ("application/grpc-web+proto", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(header::CONTENT_TYPE, kind.parse().unwrap());
            assert_eq!(require_json(&headers).is_ok(), expected, "{kind}");
        }
    }
}
