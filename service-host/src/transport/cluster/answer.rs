//! What a refusal says about asking somebody else. The reasons are the contract's (`google.rpc.ErrorInfo`, domain
//! `pm.v1`); everything that is not among these is an answer, and the caller's to read.

use http::{HeaderMap, Response};
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

/// The request id of a call, in its metadata: what a registry takes when the message itself has none.
pub const REQUEST_ID_KEY: &str = "pm-request-id";

const ERROR_DOMAIN: &str = "pm.v1";
/// Nothing was done: this replica does not lead, and may say who does.
const NO_LEADER: &str = "NO_LEADER";
/// It may or may not have been done.
const RESULT_UNKNOWN: &str = "RESULT_UNKNOWN";
/// Nothing was done: whoever was asked is going.
const SHUTTING_DOWN: &str = "SHUTTING_DOWN";
/// Where `NO_LEADER` names the leader's address.
const LEADER: &str = "leader";

/// What a status means for the next attempt.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The answer.
    Final,
    /// Somebody else has to be asked; perhaps this one.
    Elsewhere(Option<String>),
    /// It has to be asked again, since nobody knows.
    Unknown,
}

/// Reads the status in headers or trailers; [`Said::Final`] when there is none.
pub(super) fn said(fields: &HeaderMap) -> Said {
    // Read in full only when it matters: nearly every call ends well.
    if fields.get(Status::GRPC_STATUS).map(|code| Code::from_bytes(code.as_bytes())) != Some(Code::Unavailable) {
        return Said::Final;
    }
    let info = Status::from_header_map(fields).and_then(|status| status.get_details_error_info());
    let Some(info) = info.filter(|info| info.domain == ERROR_DOMAIN) else { return Said::Final };
    match info.reason.as_str() {
        NO_LEADER => Said::Elsewhere(info.metadata.get(LEADER).filter(|address| !address.is_empty()).cloned()),
        SHUTTING_DOWN => Said::Elsewhere(None),
        RESULT_UNKNOWN => Said::Unknown,
        _ => Said::Final,
    }
}

/// The answer when the time is over and nobody knows whether the change was made.
pub(super) fn unknown(request_id: &str, why: &str) -> Response<Body> {
    let details =
        ErrorDetails::with_error_info(RESULT_UNKNOWN, ERROR_DOMAIN, [("request_id".to_owned(), request_id.to_owned())]);
    let message = format!("the change may or may not have been made: {why}; repeat it with the same request id");
    Status::with_error_details(Code::Unavailable, message, details).into_http()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(code: Code, reason: &str, domain: &str, leader: &str) -> Said {
        let details = ErrorDetails::with_error_info(reason, domain, [(LEADER.to_owned(), leader.to_owned())]);
        said(Status::with_error_details(code, "x", details).into_http::<Body>().headers())
    }

    #[test]
    fn only_our_own_unavailable_with_these_reasons_is_asked_again() {
        let leader = Said::Elsewhere(Some("http://a:1".to_owned()));
        assert_eq!(of(Code::Unavailable, NO_LEADER, "pm.v1", "http://a:1"), leader);
        assert_eq!(of(Code::Unavailable, NO_LEADER, "pm.v1", ""), Said::Elsewhere(None));
        assert_eq!(of(Code::Unavailable, RESULT_UNKNOWN, "pm.v1", ""), Said::Unknown);
        assert_eq!(of(Code::Unavailable, SHUTTING_DOWN, "pm.v1", ""), Said::Elsewhere(None));
        assert_eq!(of(Code::Unavailable, "BACKEND_UNAVAILABLE", "pm.v1", ""), Said::Final);
        assert_eq!(of(Code::Unavailable, NO_LEADER, "example.org", ""), Said::Final);
        assert_eq!(of(Code::Aborted, NO_LEADER, "pm.v1", ""), Said::Final);
        assert_eq!(said(&HeaderMap::new()), Said::Final);
        assert_eq!(said(Status::unavailable("plain").into_http::<Body>().headers()), Said::Final);
        assert_eq!(said(unknown("r", "x").headers()), Said::Unknown);
    }
}
