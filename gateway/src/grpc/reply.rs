//! The body of a forwarded answer. It passes frames on and ends with proper
//! trailers whatever happens: the backend's own, DEADLINE_EXCEEDED when the
//! call's time is over, UNAVAILABLE when the gateway shuts down or the backend
//! is lost in the middle.

use crate::backend::{Backend, deadline_exceeded};
use crate::meters::Observation;
use bytes::Bytes;
use http::{HeaderMap, Response};
use hyper::body::{Frame, SizeHint};
use pm_proto::error::{reason, status};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::time::{Instant, Sleep};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::body::Body;
use tonic::{Code, Status};

/// The body.
pub(crate) struct Reply {
    inner: Body,
    backend: Option<Backend>,
    deadline: Option<Pin<Box<Sleep>>>,
    shutdown: Option<Pin<Box<WaitForCancellationFutureOwned>>>,
    /// Taken when the last frame is out.
    observation: Option<Observation>,
}

impl Reply {
    /// Wraps a backend's answer. `shutdown`: ends it early.
    pub(crate) fn wrap(
        response: Response<Body>,
        backend: Backend,
        deadline: Option<Instant>,
        shutdown: Option<CancellationToken>,
        observation: Observation,
    ) -> Response<Body> {
        Self::build(response, Some(backend), deadline, shutdown, observation)
    }

    /// Wraps an answer of the gateway itself.
    pub(crate) fn wrap_local(
        response: Response<Body>,
        shutdown: CancellationToken,
        observation: Observation,
    ) -> Response<Body> {
        Self::build(response, None, None, Some(shutdown), observation)
    }

    fn build(
        response: Response<Body>,
        backend: Option<Backend>,
        deadline: Option<Instant>,
        shutdown: Option<CancellationToken>,
        observation: Observation,
    ) -> Response<Body> {
        // A status among the headers: there will be no frames.
        if let Some(status) = Status::from_header_map(response.headers()) {
            observation.finish(status.code());
            return response;
        }
        response.map(|inner| {
            Body::new(Self {
                inner,
                backend,
                deadline: deadline.map(|at| Box::pin(tokio::time::sleep_until(at))),
                shutdown: shutdown.map(|token| Box::pin(token.cancelled_owned())),
                observation: Some(observation),
            })
        })
    }

    fn end(&mut self, code: Code) {
        if let Some(observation) = self.observation.take() {
            observation.finish(code);
        }
        self.inner = Body::empty();
        self.deadline = None;
        self.shutdown = None;
    }

    /// The last frame: trailers that say why.
    fn end_with(&mut self, status: &Status) -> Frame<Bytes> {
        self.end(status.code());
        let mut trailers = HeaderMap::new();
        if status.add_header(&mut trailers).is_err() {
            // Only a message that no header can carry leads here.
            trailers.insert(Status::GRPC_STATUS, http::HeaderValue::from(status.code() as i32));
        }
        Frame::trailers(trailers)
    }
}

impl hyper::body::Body for Reply {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = &mut *self;
        if this.observation.is_none() {
            return Poll::Ready(None);
        }
        // Before the frames: a stream that never pauses must end in time too.
        if this.deadline.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Ok(this.end_with(&deadline_exceeded()))));
        }
        if this.shutdown.as_mut().is_some_and(|token| token.as_mut().poll(cx).is_ready()) {
            return Poll::Ready(Some(Ok(this.end_with(&shutting_down()))));
        }
        let frame = match std::task::ready!(Pin::new(&mut this.inner).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(cause)) => {
                let status = this.backend.as_ref().map_or_else(|| cause.clone(), |backend| backend.broken_off(&cause));
                return Poll::Ready(Some(Ok(this.end_with(&status))));
            }
            None => {
                this.end(Code::Unknown);
                return Poll::Ready(None);
            }
        };
        if let Some(trailers) = frame.trailers_ref() {
            let code = Status::from_header_map(trailers).map_or(Code::Unknown, |status| status.code());
            this.end(code);
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.observation.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

/// What a stream is ended with when the gateway goes.
pub(crate) fn shutting_down() -> Status {
    let message = "the gateway is shutting down; connect again";
    status(Code::Unavailable, reason::SHUTTING_DOWN, message, &[])
}
