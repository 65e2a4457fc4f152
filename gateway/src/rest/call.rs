//! One gRPC call with dynamic messages.

use super::codec::DynamicCodec;
use crate::backend::{Backend, Caller, deadline_exceeded};
use crate::catalogue::Method;
use crate::visitor::Visitor;
use http::uri::PathAndQuery;
use prost_reflect::DynamicMessage;
use std::error::Error as _;
use std::time::Duration;
use tonic::client::Grpc;
use tonic::{Request, Status, Streaming};

/// Longest time for a single answer. The slowest call is a commit during an
/// election, a few seconds; a client that wants less ends its request.
const UNARY_TIMEOUT: Duration = Duration::from_secs(30);

/// Largest message of an answer: a list of 10,000 instances has a few
/// megabytes.
const MAX_ANSWER_BYTES: usize = 64 * 1024 * 1024;

/// A call with one answer.
pub(crate) async fn unary(
    backend: &Backend,
    method: &Method,
    message: DynamicMessage,
    visitor: Visitor,
) -> Result<DynamicMessage, Status> {
    let mut client = client(backend, method, visitor);
    let codec = DynamicCodec::new(method.descriptor.output());
    let call = client.unary(Request::new(message), path(method)?, codec);
    match tokio::time::timeout(UNARY_TIMEOUT, call).await {
        Ok(Ok(response)) => Ok(response.into_inner()),
        Ok(Err(status)) => Err(attribute(backend, status)),
        Err(_) => Err(deadline_exceeded()),
    }
}

/// A call with a stream of answers. It has no limit of time: it lasts as long
/// as its client.
pub(crate) async fn server_stream(
    backend: &Backend,
    method: &Method,
    message: DynamicMessage,
    visitor: Visitor,
) -> Result<Streaming<DynamicMessage>, Status> {
    let mut client = client(backend, method, visitor);
    let codec = DynamicCodec::new(method.descriptor.output());
    let response = client.server_streaming(Request::new(message), path(method)?, codec).await;
    response.map(tonic::Response::into_inner).map_err(|status| attribute(backend, status))
}

/// A status that our own HTTP stack made, and not the backend, has a cause.
pub(crate) fn attribute(backend: &Backend, status: Status) -> Status {
    if status.source().is_some() { backend.broken_off(&status) } else { status }
}

fn client(backend: &Backend, method: &Method, visitor: Visitor) -> Grpc<Caller> {
    Grpc::new(backend.as_caller(method, visitor)).max_decoding_message_size(MAX_ANSWER_BYTES)
}

fn path(method: &Method) -> Result<PathAndQuery, Status> {
    format!("/{}", method.name).parse().map_err(|error| Status::internal(format!("path of {}: {error}", method.name)))
}
