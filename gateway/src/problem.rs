//! Errors of the HTTP door: a gRPC status in, `application/problem+json`
//! (RFC 9457) out. The one place that maps gRPC codes to HTTP's.

use http::{HeaderValue, Response, StatusCode, header};
use pm_proto::error::{DOMAIN, reason};
use serde::Serialize;
use std::collections::BTreeMap;
use tonic::body::Body;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

/// Media type of a problem document.
pub(crate) const CONTENT_TYPE: &str = "application/problem+json";

/// A problem document.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// Identifies the kind of problem, by its reason.
    #[serde(rename = "type")]
    kind: String,
    /// The kind in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// What is wrong this time.
    detail: String,
    /// The gRPC code's name.
    code: &'static str,
    /// Stable reason, as in `google.rpc.ErrorInfo`.
    reason: String,
    /// Whose reason it is.
    domain: String,
    /// Data of the message.
    metadata: BTreeMap<String, String>,
    /// Faulty fields.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
    /// Where to look in the traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<String>,
}

/// One faulty field.
#[derive(Debug, Serialize)]
struct FieldError {
    field: String,
    message: String,
}

impl Problem {
    /// The document of a status. `precondition`: the request carried
    /// `If-Match`, so a differing etag is that precondition's failure.
    pub(crate) fn new(status: &Status, precondition: bool) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        let reason = info.map_or_else(|| name(status.code()).to_owned(), |info| info.reason.clone());
        let http = http_status(status.code(), &reason, precondition);
        let mut errors: Vec<FieldError> = Vec::new();
        for violation in details.bad_request().iter().flat_map(|bad| &bad.field_violations) {
            errors.push(FieldError { field: violation.field.clone(), message: violation.description.clone() });
        }
        Self {
            kind: format!("urn:pm:error:{reason}"),
            title: title(http),
            status: http.as_u16(),
            detail: status.message().to_owned(),
            code: name(status.code()),
            reason,
            domain: info.map_or_else(|| DOMAIN.to_owned(), |info| info.domain.clone()),
            metadata: info.map(|info| info.metadata.clone().into_iter().collect()).unwrap_or_default(),
            errors,
            trace_id: trace_id(),
        }
    }

    /// The document as one line of JSON.
    pub(crate) fn to_json(&self) -> String {
        // Strings and numbers only: there is nothing in it that cannot be
        // written. The fallback keeps the type total.
        serde_json::to_string(self).unwrap_or_else(|_| String::from("{\"status\":500}"))
    }

    /// The whole answer.
    pub(crate) fn into_response(self) -> Response<Body> {
        let mut response = Response::new(Body::new(http_body_util::Full::from(self.to_json())));
        *response.status_mut() = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(CONTENT_TYPE));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.status == 401 {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"pm\""));
        }
        if self.status == 503 {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

/// HTTP's word for a status. A reason that HTTP has a number for goes before
/// the code.
fn http_status(code: Code, why: &str, precondition: bool) -> StatusCode {
    match why {
        reason::UNKNOWN_ROUTE => return StatusCode::NOT_FOUND,
        reason::METHOD_NOT_ALLOWED => return StatusCode::METHOD_NOT_ALLOWED,
        reason::UNSUPPORTED_MEDIA_TYPE => return StatusCode::UNSUPPORTED_MEDIA_TYPE,
        reason::REQUEST_TOO_LARGE => return StatusCode::PAYLOAD_TOO_LARGE,
        reason::REQUEST_TIMEOUT => return StatusCode::REQUEST_TIMEOUT,
        reason::REQUEST_ID_REUSED => return StatusCode::UNPROCESSABLE_ENTITY,
        reason::ETAG_MISMATCH if precondition => return StatusCode::PRECONDITION_FAILED,
        _ => {}
    }
    match code {
        Code::Ok => StatusCode::OK,
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => StatusCode::BAD_REQUEST,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::NotFound => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        // 499 has no name in the standard; it is what proxies write.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or(StatusCode::BAD_REQUEST),
        Code::Unimplemented => StatusCode::NOT_IMPLEMENTED,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn title(http: StatusCode) -> &'static str {
    http.canonical_reason().unwrap_or("Client Closed Request")
}

/// A gRPC code's name in the specification.
pub(crate) fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// The trace id of the current span: the second part of a `traceparent`.
fn trace_id() -> Option<String> {
    service_host::trace_context::traceparent_of_current_span()?.split('-').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::{Code, Problem, StatusCode, http_status, reason};

    #[test]
    fn reasons_that_http_has_a_number_for_go_before_the_code() {
        for (code, why, precondition, expected) in [
            (Code::Aborted, reason::ETAG_MISMATCH, false, StatusCode::CONFLICT),
            (Code::Aborted, reason::ETAG_MISMATCH, true, StatusCode::PRECONDITION_FAILED),
            (Code::ResourceExhausted, reason::REQUEST_TOO_LARGE, false, StatusCode::PAYLOAD_TOO_LARGE),
            (Code::ResourceExhausted, reason::WATCHER_TOO_SLOW, false, StatusCode::TOO_MANY_REQUESTS),
            (Code::Unimplemented, reason::UNKNOWN_ROUTE, false, StatusCode::NOT_FOUND),
            (Code::Unimplemented, "UNIMPLEMENTED", false, StatusCode::NOT_IMPLEMENTED),
            (Code::OutOfRange, reason::REVISION_COMPACTED, false, StatusCode::BAD_REQUEST),
        ] {
            assert_eq!(http_status(code, why, precondition), expected, "{code:?} {why}");
        }
    }

    #[test]
    fn a_problem_lists_every_faulty_field() {
        let faults = [
            process_model::spec::Fault::new("stale", "is not a boolean", "write true or false"),
            process_model::spec::Fault::new("colour", "is unknown", "leave it out"),
        ];
        let json: serde_json::Value =
            serde_json::from_str(&Problem::new(&pm_proto::error::invalid(&faults), false).to_json()).unwrap();
        assert_eq!(json["status"], 400);
        assert_eq!(json["code"], "INVALID_ARGUMENT");
        assert_eq!(json["domain"], "pm.v1");
        assert_eq!(json["errors"][1]["field"], "colour");
        assert_eq!(json["type"], "urn:pm:error:INVALID_ARGUMENT");
    }
}
