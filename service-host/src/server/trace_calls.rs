//! One span for each call, in the caller's trace; none for a call that nobody traces.
//!
//! Enters: a request with or without `traceparent`. Leaves: the same request, handled within a span named for the
//! method, which ends with the response's last byte and knows the gRPC status. Attributes follow OpenTelemetry's
//! semantic conventions for RPC (`rpc.system.name`, `rpc.method`, `rpc.response.status_code`, `error.type`).

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures::future::{BoxFuture, Either};
use http::{HeaderMap, Request, Response};
use hyper::body::{Body as HttpBody, Frame, SizeHint};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::{Layer, Service};
use tracing::{Instrument, Span, field};

use crate::trace_context;

/// The target of the spans made here; the log formats leave it out, it says nothing that a trace does not say better.
pub(crate) const TARGET: &str = "service_host::rpc";

/// A tower layer for gRPC servers.
#[derive(Clone, Copy, Debug, Default)]
pub struct TraceCalls;

/// [`TraceCalls`] around a service.
#[derive(Clone, Debug)]
pub struct TracedCall<S>(S);

impl<S> Layer<S> for TraceCalls {
    type Service = TracedCall<S>;

    fn layer(&self, inner: S) -> TracedCall<S> {
        TracedCall(inner)
    }
}

impl<S, B> Service<Request<B>> for TracedCall<S>
where
    S: Service<Request<B>, Response = Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Either<S::Future, BoxFuture<'static, Result<Response<Body>, Infallible>>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        if !trace_context::is_traced(request.headers()) {
            return Either::Left(self.0.call(request));
        }
        let method = request.uri().path().trim_start_matches('/');
        let span = tracing::info_span!(
            target: TARGET,
            "rpc",
            otel.name = method,
            otel.kind = "server",
            otel.status_code = field::Empty,
            rpc.system.name = "grpc",
            rpc.method = method,
            rpc.response.status_code = field::Empty,
            error.type = field::Empty,
        );
        trace_context::set_parent_from(&span, request.headers());
        let handling = span.in_scope(|| self.0.call(request)).instrument(span.clone());
        Either::Right(Box::pin(async move {
            let response = handling.await?;
            // A refused call has its status in the headers ("trailers only") and no body worth watching.
            let outcome = match grpc_status(response.headers()) {
                Some(code) => {
                    record(&span, code);
                    Outcome::Known
                }
                None => Outcome::Open,
            };
            Ok(response.map(|inner| Body::new(TracedBody { inner, span, outcome })))
        }))
    }
}

#[derive(PartialEq)]
enum Outcome {
    Open,
    Known,
}

/// The response's body: keeps the span until its end, runs the stream within it, and reads the status in the trailers.
struct TracedBody {
    inner: Body,
    span: Span,
    outcome: Outcome,
}

impl HttpBody for TracedBody {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let this = &mut *self;
        let polled = this.span.in_scope(|| Pin::new(&mut this.inner).poll_frame(cx));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(code) = frame.trailers_ref().and_then(grpc_status) {
                    record(&this.span, code);
                    this.outcome = Outcome::Known;
                }
            }
            Poll::Ready(Some(Err(status))) => {
                record(&this.span, status.code());
                this.outcome = Outcome::Known;
            }
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}

impl Drop for TracedBody {
    fn drop(&mut self) {
        // Dropped before its end: the caller has gone or taken the call back.
        if self.outcome == Outcome::Open {
            record(&self.span, Code::Cancelled);
        }
    }
}

fn grpc_status(headers: &HeaderMap) -> Option<Code> {
    headers.get("grpc-status").map(|value| Code::from_bytes(value.as_bytes()))
}

/// Server spans are errors only for what the server is to blame for (semantic conventions, "gRPC server").
fn record(span: &Span, code: Code) {
    let name = status_name(code);
    span.record("rpc.response.status_code", name);
    match code {
        Code::Unknown
        | Code::DeadlineExceeded
        | Code::Unimplemented
        | Code::Internal
        | Code::Unavailable
        | Code::DataLoss => {
            span.record("error.type", name);
            span.record("otel.status_code", "ERROR");
        }
        Code::Ok
        | Code::Cancelled
        | Code::InvalidArgument
        | Code::NotFound
        | Code::AlreadyExists
        | Code::PermissionDenied
        | Code::ResourceExhausted
        | Code::FailedPrecondition
        | Code::Aborted
        | Code::OutOfRange
        | Code::Unauthenticated => {}
    }
}

fn status_name(code: Code) -> &'static str {
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
