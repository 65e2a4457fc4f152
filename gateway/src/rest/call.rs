//! One gRPC call with dynamic messages.

use super::codec::DynamicCodec;
use crate::backend::{Backend, Caller, deadline_exceeded};
use crate::catalogue::Method;
use crate::visitor::Visitor;
use http::uri::PathAndQuery;
use prost_reflect::{DynamicMessage, Value};
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
    visitor: &Visitor,
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

/// A list from its first page to its last, as one answer; of what is no list
/// its only answer.
pub(crate) async fn whole(backend: &Backend, method: &Method, visitor: &Visitor) -> Result<DynamicMessage, Status> {
    let mut request = DynamicMessage::new(method.descriptor.input());
    let mut whole = unary(backend, method, request.clone(), visitor).await?;
    while let Some(token) = next_page(&whole) {
        request.set_field_by_name("page_token", token);
        let mut page = unary(backend, method, request.clone(), visitor).await?;
        for field in method.descriptor.output().fields() {
            let more = page.get_field_mut(&field).as_list_mut().map(std::mem::take);
            if let (Some(all), Some(more)) = (whole.get_field_mut(&field).as_list_mut(), more) {
                all.extend(more);
            }
        }
        whole.set_field_by_name("next_page_token", Value::String(next_text(&page)));
    }
    Ok(whole)
}

fn next_page(answer: &DynamicMessage) -> Option<Value> {
    Some(next_text(answer)).filter(|token| !token.is_empty()).map(Value::String)
}

fn next_text(answer: &DynamicMessage) -> String {
    let token = answer.get_field_by_name("next_page_token");
    token.and_then(|token| token.as_str().map(str::to_owned)).unwrap_or_default()
}

/// A call with a stream of answers. It has no limit of time: it lasts as long
/// as its client.
pub(crate) async fn server_stream(
    backend: &Backend,
    method: &Method,
    message: DynamicMessage,
    visitor: &Visitor,
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

fn client(backend: &Backend, method: &Method, visitor: &Visitor) -> Grpc<Caller> {
    Grpc::new(backend.as_caller(method, visitor)).max_decoding_message_size(MAX_ANSWER_BYTES)
}

fn path(method: &Method) -> Result<PathAndQuery, Status> {
    format!("/{}", method.name).parse().map_err(|error| Status::internal(format!("path of {}: {error}", method.name)))
}
