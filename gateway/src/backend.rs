//! One service behind the gateway. Enters: a gRPC call over HTTP, as raw as it
//! came. Leaves: the same call with the gateway's identity instead of the
//! client's, and an answer or a status that says which service failed.

use crate::access::Role;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use pm_proto::error::{reason, status};
use service_host::secret::Secret;
use service_host::transport::{Dial, TransportError};
use std::error::Error as _;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::transport::Channel;
use tonic::{Code, Status, TimeoutExpired};
use tower::Service as _;

/// A service and the channel to it.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    name: &'static str,
    channel: Channel,
    authorization: HeaderValue,
}

/// Why a backend cannot be called at all.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Its address is of no use.
    #[error("connecting to the {name}")]
    Dial {
        /// Which service.
        name: &'static str,
        /// Why.
        source: TransportError,
    },
    /// The service token cannot be sent in a header.
    #[error("the service token has characters that an HTTP header cannot carry")]
    Token(#[source] http::header::InvalidHeaderValue),
}

impl Backend {
    /// A backend that is dialled when it is first called.
    pub(crate) fn new(name: &'static str, dial: &Dial, token: &Secret) -> Result<Self, BackendError> {
        let channel = dial.channel().map_err(|source| BackendError::Dial { name, source })?;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", token.expose())).map_err(BackendError::Token)?;
        authorization.set_sensitive(true);
        Ok(Self { name, channel, authorization })
    }

    /// Forwards a call for a caller of `role`.
    pub(crate) async fn call(&self, mut request: Request<Body>, role: Role) -> Result<Response<Body>, Status> {
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        *request.version_mut() = http::Version::HTTP_2;
        self.sign(request.headers_mut(), role);
        let mut channel = self.channel.clone();
        let answer = async {
            std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
            channel.call(request).await
        };
        let response = answer.await.map_err(|error| self.unreachable(&error))?;
        // Only a wrong service token leads to this; the client's own has been
        // accepted, so it must not be told that it is the one at fault.
        if response.headers().get(Status::GRPC_STATUS).is_some_and(|code| code == "16") {
            return Err(self.unavailable(format!("the {} refuses the gateway's service token", self.name)));
        }
        Ok(response)
    }

    /// A gRPC client's view of the backend, for a caller of `role`.
    pub(crate) fn as_caller(&self, role: Role) -> Caller {
        Caller { backend: self.clone(), role }
    }

    /// Takes out what the client must not say and puts in what only the
    /// gateway may say.
    fn sign(&self, headers: &mut HeaderMap, role: Role) {
        let ours: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("pm-")).cloned().collect();
        for name in ours {
            headers.remove(name);
        }
        for name in [header::HOST, header::COOKIE, header::CONNECTION, header::PROXY_AUTHORIZATION] {
            headers.remove(name);
        }
        headers.insert(header::AUTHORIZATION, self.authorization.clone());
        headers.insert(pm_proto::metadata::ACTOR, HeaderValue::from_static(role.actor()));
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        // Without an exporter there is no span context to write, and the
        // client's own goes on unchanged.
        service_host::trace_context::inject(headers);
    }

    fn unreachable(&self, error: &tonic::transport::Error) -> Status {
        let mut root = error.source();
        let mut text = error.to_string();
        while let Some(cause) = root {
            if cause.is::<TimeoutExpired>() {
                return deadline_exceeded();
            }
            text = cause.to_string();
            root = cause.source();
        }
        self.unavailable(format!("the {} does not answer: {text}", self.name))
    }

    /// UNAVAILABLE that names this service.
    fn unavailable(&self, message: String) -> Status {
        tracing::warn!(service = self.name, detail = message, "a service behind the gateway failed");
        status(Code::Unavailable, reason::BACKEND_UNAVAILABLE, message, &[("service", self.name)])
    }

    /// What a status that our own HTTP stack made in the middle of an answer
    /// means to the client: the connection to the service was lost.
    pub(crate) fn broken_off(&self, cause: &Status) -> Status {
        self.unavailable(format!("the {} broke off in the middle of its answer: {}", self.name, cause.message()))
    }
}

/// DEADLINE_EXCEEDED, as the gateway says it.
pub(crate) fn deadline_exceeded() -> Status {
    status(Code::DeadlineExceeded, reason::DEADLINE_EXCEEDED, "the call's time is over", &[])
}

/// [`Backend`] for `tonic::client::Grpc`.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    backend: Backend,
    role: Role,
}

impl tower::Service<Request<Body>> for Caller {
    type Response = Response<Body>;
    type Error = Status;
    type Future = BoxFuture<'static, Result<Response<Body>, Status>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        // `Backend::call` waits for the channel itself.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let (backend, role) = (self.backend.clone(), self.role);
        Box::pin(async move { backend.call(request, role).await })
    }
}
