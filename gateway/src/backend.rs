//! One service behind the gateway. Enters: a gRPC call over HTTP, as raw as it
//! came. Leaves: the same call with the gateway's identity instead of the
//! client's, a change with a request id and with where it came from, and an
//! answer or a status that says which service failed.

use crate::catalogue::Method;
use crate::visitor::Visitor;
use futures::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, header};
use pm_proto::error::{reason, status};
use pm_proto::metadata;
use service_host::secret::Secret;
use service_host::transport::{AnyChannel, CallError, Dial, NobodyAnswers, TransportError};
use std::net::SocketAddr;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::{Code, Status, TimeoutExpired};
use tower::Service as _;

/// What the gateway itself signs with.
const OWN_ACTOR: &str = "gateway";

/// A service and the channel to it.
#[derive(Debug, Clone)]
pub(crate) struct Backend {
    name: &'static str,
    channel: AnyChannel,
    /// Where no certificate says who calls.
    authorization: Option<HeaderValue>,
}

/// Who is behind a call, as the service behind the gateway is told.
#[derive(Debug, Clone)]
struct Origin {
    actor: String,
    /// Whether it may change something: then it has a request id.
    changes: bool,
    /// Where it came from; only changes are followed back so far.
    source: Option<SocketAddr>,
}

impl Origin {
    fn of(method: &Method, visitor: &Visitor) -> Self {
        let changes = method.changes();
        Self { actor: visitor.actor(), changes, source: changes.then_some(visitor.peer) }
    }
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
        let authorization = (!dial.is_mutual()).then_some(authorization);
        Ok(Self { name, channel, authorization })
    }

    /// Forwards a visitor's call of `method`.
    pub(crate) async fn call(
        &self,
        request: Request<Body>,
        method: &Method,
        visitor: &Visitor,
    ) -> Result<Response<Body>, Status> {
        self.send(request, Origin::of(method, visitor)).await
    }

    async fn send(&self, mut request: Request<Body>, origin: Origin) -> Result<Response<Body>, Status> {
        if let Some(path) = request.uri().path_and_query().cloned() {
            *request.uri_mut() = Uri::from(path);
        }
        *request.version_mut() = http::Version::HTTP_2;
        self.sign(request.headers_mut(), origin);
        let mut channel = self.channel.clone();
        let answer = async {
            std::future::poll_fn(|cx| channel.poll_ready(cx)).await?;
            channel.call(request).await
        };
        let response = answer.await.map_err(|error| self.unreachable(error))?;
        // Only a wrong service token leads to this; the client's own has been
        // accepted, so it must not be told that it is the one at fault.
        if response.headers().get(Status::GRPC_STATUS).is_some_and(|code| code == "16") {
            return Err(self.unavailable(format!("the {} refuses the gateway's service token", self.name)));
        }
        Ok(response)
    }

    /// A gRPC client's view of the backend, for a visitor's calls of `method`.
    pub(crate) fn as_caller(&self, method: &Method, visitor: &Visitor) -> Caller {
        Caller { backend: self.clone(), origin: Origin::of(method, visitor) }
    }

    /// The same for calls that change something and that no visitor stands behind.
    pub(crate) fn as_own_caller(&self) -> Caller {
        Caller { backend: self.clone(), origin: Origin { actor: OWN_ACTOR.to_owned(), changes: true, source: None } }
    }

    /// Takes out what the client must not say and puts in what only the
    /// gateway may say.
    fn sign(&self, headers: &mut HeaderMap, origin: Origin) {
        // The one thing of ours that a client may say: it repeats a call, here or at another gateway, with the same id.
        let request_id = headers.get(metadata::REQUEST_ID).cloned();
        let ours: Vec<HeaderName> = headers.keys().filter(|name| name.as_str().starts_with("pm-")).cloned().collect();
        for name in ours {
            headers.remove(name);
        }
        if origin.changes
            && let Some(id) = request_id.or_else(new_request_id)
        {
            headers.insert(metadata::REQUEST_ID, id);
        }
        if let Some(source) = origin.source.and_then(|peer| HeaderValue::try_from(peer.to_string()).ok()) {
            headers.insert(metadata::SOURCE, source);
        }
        for name in [header::HOST, header::COOKIE, header::CONNECTION, header::PROXY_AUTHORIZATION] {
            headers.remove(name);
        }
        headers.remove(header::AUTHORIZATION);
        if let Some(authorization) = &self.authorization {
            headers.insert(header::AUTHORIZATION, authorization.clone());
        }
        // A role, or the name in a certificate: letters, digits and a few marks.
        if let Ok(actor) = HeaderValue::try_from(origin.actor) {
            headers.insert(pm_proto::metadata::ACTOR, actor);
        }
        headers.insert(header::TE, HeaderValue::from_static("trailers"));
        // Without an exporter there is no span context to write, and the
        // client's own goes on unchanged.
        service_host::trace_context::inject(headers);
    }

    fn unreachable(&self, error: CallError) -> Status {
        let of_cluster = match error.downcast::<Status>() {
            // A cluster's channel says more than why one connection broke.
            Ok(status) if status.code() == Code::DeadlineExceeded => return deadline_exceeded(),
            Ok(status) if NobodyAnswers::of(&status).is_some() => Ok(status.message().to_owned()),
            Ok(status) => Err(CallError::from(*status)),
            Err(error) => Err(error),
        };
        let text = match of_cluster {
            Ok(text) => text,
            Err(error) => {
                let causes = std::iter::successors(Some(&*error as &(dyn std::error::Error + 'static)), |e| e.source());
                let mut text = String::new();
                for cause in causes {
                    if cause.is::<TimeoutExpired>() {
                        return deadline_exceeded();
                    }
                    text = cause.to_string();
                }
                text
            }
        };
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

/// For a change that has none, so that it is made once though the way to the
/// registry may have to be tried again.
fn new_request_id() -> Option<HeaderValue> {
    HeaderValue::try_from(uuid::Uuid::new_v4().to_string()).ok()
}

/// [`Backend`] for `tonic::client::Grpc`.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    backend: Backend,
    origin: Origin,
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
        let Self { backend, origin } = self.clone();
        Box::pin(async move { backend.send(request, origin).await })
    }
}
