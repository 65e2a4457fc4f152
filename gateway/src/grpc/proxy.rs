//! Forwards one gRPC call, of whatever kind, frame by frame: nothing is
//! decoded and nothing is buffered, so that streams, trailers, compression and
//! the client's own metadata pass as they are. Dropping the client's side
//! cancels the backend's.

use super::frame_limit::FrameLimit;
use super::reply::Reply;
use crate::backend::{Backend, deadline_exceeded};
use crate::catalogue::Method;
use crate::meters::Observation;
use crate::visitor::Visitor;
use http::{HeaderMap, Request, Response};
use hyper::body::Incoming;
use pm_proto::error::{reason, status};
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};

/// Calls `backend` and returns its answer as it comes.
pub(crate) async fn forward(
    method: &Method,
    backend: &Backend,
    request: Request<Incoming>,
    visitor: &Visitor,
    shutdown: &CancellationToken,
    observation: Observation,
) -> Response<Body> {
    let deadline = match timeout(request.headers()) {
        Ok(limit) => limit.map(|limit| Instant::now() + limit),
        Err(refusal) => return observation.refuse(refusal),
    };
    let (tell, mut too_large) = oneshot::channel();
    let request = request.map(|body| Body::new(FrameLimit::new(body, tell)));
    let answer = tokio::select! {
        biased;
        size = seen(&mut too_large) => Err(oversized(size)),
        // Before the answer: the backend keeps the same time, and its word for
        // a call that is over is CANCELLED.
        () = until(deadline) => Err(deadline_exceeded()),
        // Who reads the request here, and not on a connection's task, fails with it before it is seen above.
        answer = backend.call(request, method, visitor) => too_large.try_recv().map_or(answer, |size| Err(oversized(size))),
    };
    match answer {
        Ok(response) => {
            // A single answer is let out during shutdown; a stream would hold
            // it up for as long as its client likes.
            let ends_early = method.descriptor.is_server_streaming().then(|| shutdown.clone());
            Reply::wrap(response, backend.clone(), deadline, ends_early, observation)
        }
        Err(refusal) => observation.refuse(refusal),
    }
}

async fn seen(too_large: &mut oneshot::Receiver<u32>) -> u32 {
    match too_large.await {
        Ok(size) => size,
        // The body ended, or goes on within the limit.
        Err(_) => std::future::pending().await,
    }
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

fn oversized(size: u32) -> Status {
    let limit = super::frame_limit::MAX_MESSAGE_BYTES;
    let message = format!("a message of {size} bytes is larger than the {limit} allowed");
    let metadata = [("size", size.to_string()), ("limit", limit.to_string())];
    let metadata: Vec<(&str, &str)> = metadata.iter().map(|(k, v)| (*k, v.as_str())).collect();
    status(Code::ResourceExhausted, reason::REQUEST_TOO_LARGE, message, &metadata)
}

/// `grpc-timeout`. The backend obeys it too; a stream's body only ends in time
/// because the gateway watches.
fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, Status> {
    service_host::deadline::timeout(headers).map_err(|_| {
        let fix = "write up to eight digits and one of H M S m u n, as 10S";
        pm_proto::error::invalid(&[process_model::spec::Fault::new("grpc-timeout", "is no duration", fix)])
    })
}
