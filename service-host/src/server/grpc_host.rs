//! [`GrpcHost`]: services in, a listening server out.

use std::convert::Infallible;

use axum::response::IntoResponse;
use http::Request;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::NamedService;
use tonic::service::RoutesBuilder;
use tonic::transport::Server;
use tonic_health::pb::FILE_DESCRIPTOR_SET as HEALTH_DESCRIPTORS;
use tonic_health::server::{HealthReporter, HealthService};
use tower::Service;

use super::stop::within_bounds;
use super::{HealthHandle, ServeError, TraceCalls};
use crate::access::{AccessTable, OnRefusal};
use crate::admission::Admission;
use crate::secret::Secret;
use crate::transport::{
    CONNECTION_WINDOW, Incoming, KEEPALIVE_INTERVAL, KEEPALIVE_TIMEOUT, STREAM_WINDOW, connections,
};

/// Largest message that a service takes, in bytes. It is the default of every gRPC library, so it is what
/// clients in other languages expect.
pub const MAX_MESSAGE_BYTES: usize = 4 * 1024 * 1024;

/// Calls at a time on one connection. A gateway carries all watches of all its clients over one, and thousands of
/// watchers are a goal; but not without end, which is tonic's default: each costs memory.
const MAX_STREAMS: u32 = 8192;

/// gRPC services on one listener, each call authenticated and traced.
#[must_use]
pub struct GrpcHost {
    descriptors: &'static [u8],
    token: Option<Secret>,
    access: AccessTable,
    on_refusal: Option<OnRefusal>,
    routes: RoutesBuilder,
    reporter: HealthReporter,
    names: Vec<&'static str>,
    stream_window: u32,
}

impl GrpcHost {
    /// A host without services. `descriptors` is the encoded `FileDescriptorSet` that reflection shows.
    pub fn new(descriptors: &'static [u8]) -> Self {
        let reporter = HealthReporter::new();
        let stream_window = STREAM_WINDOW;
        let (routes, names) = (RoutesBuilder::default(), Vec::new());
        Self { descriptors, token: None, access: &[], on_refusal: None, routes, reporter, names, stream_window }
    }

    /// Who may call what on encrypted connections. Without it nobody may call anything there.
    pub fn access(self, access: AccessTable) -> Self {
        Self { access, ..self }
    }

    /// Told of each call that is refused because of its caller's certificate.
    pub fn on_refusal(self, tell: OnRefusal) -> Self {
        Self { on_refusal: Some(tell), ..self }
    }

    /// The token that every call in plain text must bear.
    pub fn token(self, token: Secret) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Bytes that a caller may send on one stream ahead of whoever reads it, where the usual 256 KiB would make one
    /// large message wait for several round trips. What a connection may send ahead stays bounded as it is.
    pub fn stream_window(self, bytes: u32) -> Self {
        Self { stream_window: bytes, ..self }
    }

    /// Adds a service (a generated `…Server`). Give it its message limit, if it needs another than tonic's 4 MiB,
    /// before.
    pub fn service<S>(mut self, service: S) -> Self
    where
        S: Service<Request<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Response: IntoResponse,
        S::Future: Send + 'static,
    {
        self.routes.add_service(service);
        self.names.push(S::NAME);
        self
    }

    /// By which a service says that it does not serve, and serves again.
    #[must_use]
    pub fn health(&self) -> HealthHandle {
        HealthHandle::new(self.reporter.clone())
    }

    /// Serves until `shutdown`; then accepts nothing more, waits at most [`super::STOP_GRACE`] for calls in progress
    /// and cuts what is left.
    ///
    /// # Errors
    /// Without a token, with unreadable descriptors, or when the server fails.
    pub async fn serve(mut self, incoming: Incoming, shutdown: CancellationToken) -> Result<(), ServeError> {
        let token = self.token.take().ok_or(ServeError::NoToken)?;
        let health = self.health();
        for name in &self.names {
            health.serving(name).await;
        }
        let reflection = tonic_reflection::server::Builder::configure()
            .register_encoded_file_descriptor_set(self.descriptors)
            .register_encoded_file_descriptor_set(HEALTH_DESCRIPTORS)
            .build_v1()
            .map_err(ServeError::Descriptors)?;
        self.routes.add_service(reflection);
        self.routes.add_service(tonic_health::pb::health_server::HealthServer::new(
            HealthService::from_health_reporter(self.reporter),
        ));

        // As on the client's side: a pipe within the process cannot go silent, so it is not asked for life signs.
        let keepalive = match &incoming {
            Incoming::Tcp(_) | Incoming::Tls { .. } => Some(KEEPALIVE_INTERVAL),
            Incoming::Memory(_) => None,
        };
        let admission = Admission {
            token,
            table: self.access,
            cluster: incoming.identity().map(|identity| identity.id().cluster().into()),
            on_refusal: self.on_refusal.take(),
        };
        let sever = CancellationToken::new();
        let told = {
            let shutdown = shutdown.clone();
            let names: Vec<_> = self.names.iter().copied().chain([""]).collect();
            async move {
                shutdown.cancelled_owned().await;
                health.close(&names).await;
            }
        };
        let serving = Server::builder()
            .http2_keepalive_interval(keepalive)
            .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
            .initial_stream_window_size(self.stream_window)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .max_concurrent_streams(MAX_STREAMS)
            // The first layer is the outermost: who is not let in gets no span either, and cannot write into a trace.
            .layer(admission)
            .layer(TraceCalls)
            .add_routes(self.routes.routes().prepare())
            .serve_with_incoming_shutdown(connections(incoming, sever.clone()), told);
        match within_bounds(serving, &shutdown, &sever).await {
            Some(ended) => ended.map_err(ServeError::Grpc),
            // Cut, and still not at its end: nothing is gained by waiting longer.
            None => Ok(()),
        }
    }
}
