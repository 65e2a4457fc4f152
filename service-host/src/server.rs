//! The gRPC host: everything around a service's handlers.
//!
//! Enters: services, a token, an [`Incoming`](crate::transport::Incoming), a stop signal. Leaves: calls to the services that are authenticated
//! and run in a span of the caller's trace; health and reflection beside them. Decides: when a stop has waited
//! long enough.

mod grpc_host;
mod health;
mod http;
mod stop;
mod trace_calls;

pub use grpc_host::{GrpcHost, MAX_MESSAGE_BYTES};
pub use health::HealthHandle;
pub use http::{ClientAddr, serve_http};
pub use stop::STOP_GRACE;
pub(crate) use trace_calls::TARGET as TRACE_CALLS_TARGET;
pub use trace_calls::{TraceCalls, TracedCall};

/// Why a server ended, other than by being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// A host without a token would answer everybody; there is no such host.
    #[error("the gRPC host was given no token")]
    NoToken,
    /// The descriptors that were given are none.
    #[error("the descriptors for gRPC reflection cannot be read")]
    Descriptors(#[source] tonic_reflection::server::Error),
    /// The gRPC server failed.
    #[error("the gRPC server failed")]
    Grpc(#[source] tonic::transport::Error),
    /// The HTTP server failed.
    #[error("the HTTP server failed")]
    Http(#[source] std::io::Error),
}
