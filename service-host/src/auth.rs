//! Tokens and actors in a call's headers.
//!
//! Enters: headers. Leaves: the token of a caller, on whose behalf it calls, and `UNAUTHENTICATED` with a
//! `google.rpc.ErrorInfo`. Who is let in is decided in [`crate::access`].

use http::HeaderMap;
use http::header::AUTHORIZATION;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// Metadata that names on whose behalf a service calls.
pub const ACTOR_KEY: &str = "pm-actor";

/// The actor of a call that names none: a service on its own account.
pub const SERVICE_ACTOR: &str = "service";

/// `ErrorInfo.domain` of the refusal.
const ERROR_DOMAIN: &str = "pm.v1";

/// `ErrorInfo.reason` of the refusal.
const ERROR_REASON: &str = "UNAUTHENTICATED";

/// The token of an `authorization: Bearer TOKEN` header (RFC 6750 section 2.1; the scheme in any case, RFC 9110
/// section 11.1).
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim_start_matches(' '))
}

/// `UNAUTHENTICATED` with its `ErrorInfo`, for the same answer wherever a token is asked for.
#[must_use]
pub fn unauthenticated(message: &str) -> Status {
    let details = ErrorDetails::with_error_info(ERROR_REASON, ERROR_DOMAIN, []);
    Status::with_error_details(Code::Unauthenticated, message, details)
}

/// On whose behalf the call is made: what the caller, who has the service token, says; or [`SERVICE_ACTOR`].
#[must_use]
pub fn actor<T>(request: &tonic::Request<T>) -> String {
    let named = request.metadata().get(ACTOR_KEY).and_then(|value| value.to_str().ok());
    match named.map(decode_actor) {
        Some(actor) if !actor.is_empty() => actor,
        Some(_) | None => SERVICE_ACTOR.to_owned(),
    }
}

/// A header holds visible ASCII; a name may hold anything. All other bytes, and `%`, travel percent-encoded, so that
/// two different actors never look alike in the audit log.
pub(crate) fn encode_actor(actor: &str) -> Option<MetadataValue<Ascii>> {
    let mut text = String::with_capacity(actor.len());
    for byte in actor.bytes() {
        if byte.is_ascii_graphic() && byte != b'%' {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    MetadataValue::try_from(text).ok()
}

fn decode_actor(text: &str) -> String {
    let hex = |digit: Option<&u8>| digit.and_then(|digit| char::from(*digit).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.extend(u8::try_from(high * 16 + low));
                at += 3;
            }
            // Not one of our escapes: taken as it is.
            (_, _, _) => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(authorization: &str) -> HeaderMap {
        HeaderMap::from_iter([(AUTHORIZATION, authorization.parse().unwrap())])
    }

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_its_scheme() {
        for good in ["Bearer abc", "bearer abc", "BEARER  abc"] {
            assert_eq!(bearer(&headers(good)), Some("abc"), "{good}");
        }
        for bad in ["abc", "Basic abc", "Bearer", "Bearerabc"] {
            assert_eq!(bearer(&headers(bad)), None, "{bad}");
        }
        assert_eq!(bearer(&HeaderMap::new()), None);
    }

    #[test]
    fn an_actor_travels_unharmed_and_without_one_it_is_the_service() {
        for name in ["admin", "zoë@example.org", "100%", "a b\nc", "%41"] {
            let mut request = tonic::Request::new(());
            request.metadata_mut().insert(ACTOR_KEY, encode_actor(name).unwrap());
            assert_eq!(actor(&request), name);
        }
        assert_eq!(actor(&tonic::Request::new(())), "service");
    }
}
