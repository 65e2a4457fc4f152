//! Response messages to HTTP responses.

use http::{HeaderValue, Response, StatusCode, header};
use http_body_util::Full;
use pm_proto::json::dynamic_to_value;
use prost_reflect::DynamicMessage;
use serde_json::Value;
use tonic::Status;
use tonic::body::Body;

/// A message as JSON; with the process's etag when it holds one process.
pub(crate) fn message(message: &DynamicMessage) -> Result<Response<Body>, Status> {
    let value = to_value(message)?;
    let mut response = json(&value);
    if let Some(etag) = etag(&value)
        && let Ok(etag) = HeaderValue::from_str(&format!("\"{etag}\""))
    {
        response.headers_mut().insert(header::ETAG, etag);
    }
    Ok(response)
}

/// `/status`: the first message as it is, under `cluster`, and the lists of the
/// others under their own names.
pub(crate) fn status(messages: &[DynamicMessage]) -> Result<Response<Body>, Status> {
    let mut document = serde_json::Map::new();
    let mut messages = messages.iter();
    if let Some(cluster) = messages.next() {
        document.insert(String::from("cluster"), to_value(cluster)?);
    }
    for list in messages {
        if let Value::Object(fields) = to_value(list)? {
            document.extend(fields.into_iter().filter(|(_, value)| value.is_array()));
        }
    }
    Ok(json(&Value::Object(document)))
}

/// `/metrics`: the text under its own content type.
pub(crate) fn metrics(message: &DynamicMessage) -> Result<Response<Body>, Status> {
    let text = |name| message.get_field_by_name(name).and_then(|value| value.as_str().map(str::to_owned));
    let kind = text("content_type").filter(|kind| !kind.is_empty());
    let kind = kind.and_then(|kind| HeaderValue::try_from(kind).ok());
    let kind = kind.unwrap_or(HeaderValue::from_static("text/plain; version=0.0.4"));
    Ok(with_type(kind, text("text").unwrap_or_default()))
}

fn json(value: &Value) -> Response<Body> {
    with_type(HeaderValue::from_static("application/json"), format!("{value}\n"))
}

fn with_type(kind: HeaderValue, text: String) -> Response<Body> {
    let mut response = Response::new(Body::new(Full::from(text)));
    *response.status_mut() = StatusCode::OK;
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    // State changes by the second, and answers depend on the token.
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn to_value(message: &DynamicMessage) -> Result<Value, Status> {
    dynamic_to_value(message).map_err(|error| Status::internal(format!("writing the answer as JSON: {error}")))
}

/// The etag of the answer's only process.
fn etag(value: &Value) -> Option<&str> {
    let process = match value.get("results").and_then(Value::as_array).map(Vec::as_slice) {
        Some([only]) => only.get("process"),
        Some(_) | None => value.get("process"),
    };
    process?.get("etag")?.as_str().filter(|etag| !etag.is_empty())
}
