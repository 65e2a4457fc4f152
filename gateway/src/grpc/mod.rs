//! The gRPC door. Enters: an admitted request with a gRPC content type.
//! Leaves: the answer of the service that owns the method, or of the gateway
//! itself for health and reflection. What is not public does not exist.
//!
//! | module | what |
//! |---|---|
//! | [`proxy`] | raw forwarding of any kind of call |
//! | [`frame_limit`] | a request's messages may have 4 MiB |
//! | [`reply`] | an answer's body: deadline, shutdown, lost backends |
//! | [`local`] | health and reflection of the gateway |

pub(crate) mod frame_limit;
pub(crate) mod local;
pub(crate) mod proxy;
pub(crate) mod reply;

use http::{HeaderMap, Method, header};
use pm_proto::error::{reason, status};
use tonic::{Code, Status};

/// Whether a request is a gRPC call: a POST with its content type.
/// `application/grpc-web` is another protocol.
pub(crate) fn is_call(method: &Method, headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let rest = kind.strip_prefix("application/grpc");
    *method == Method::POST && rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']))
}

/// What an unknown method and an internal one are answered alike.
pub(crate) fn unknown(path: &str) -> Status {
    let message = format!("there is no method {path} here; reflection lists what there is");
    status(Code::Unimplemented, reason::UNKNOWN_ROUTE, message, &[])
}
