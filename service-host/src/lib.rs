//! What a server's `main` needs before its first domain line and after its last.
//!
//! Enters: a listener, a token, a gRPC service, a stop signal. Leaves: a server that is authenticated, traced, measured,
//! observable and that ends in bounded time. Nothing here knows what the services do.
//!
//! | module | responsibility |
//! |---|---|
//! | [`secret`] | a token: made, read from a file, compared in constant time |
//! | [`transport`] | one address, several, or memory: connections behind one face |
//! | [`client`] | a channel whose calls carry token, actor and trace context |
//! | [`auth`] | tokens and actors in headers |
//! | [`identity`] | certificates: who this service is, and who is at the other end |
//! | [`access`], `admission` | the server's side of both: who may call what, and nobody else |
//! | [`server`] | the gRPC host: health, reflection, tracing, bounded graceful stop |
//! | [`ops`] | the plaintext operations port: `/healthz`, `/readyz`, `/metrics` |
//! | [`healthcheck`] | what a container asks its own service |
//! | [`metrics`] | the registry of metrics and its text form |
//! | [`telemetry`] | logs on stderr, traces over OTLP |
//! | [`trace_context`] | W3C trace context in and out of headers and strings |
//! | [`signals`] | SIGTERM, SIGINT, SIGUSR1 |
//! | [`systemd`] | what systemd is told of it |
//! | [`fatal`] | fail-stop |
//! | [`causes`] | an error and why it came to it |
//! | [`manual`] | manual pages, from the command line |
//! | [`config`] | command line arguments that every server shares |
//! | [`open_files`] | as many connections as the operator allows |
//! | [`slack`] | memory that a burst has left free |
//! | [`deadline`] | how long a call may take, as its header says |
//!
//! A `main` in short:
//!
//! ```no_run
//! use service_host::{metrics::Metrics, ops, secret::Secret, server::GrpcHost, signals, telemetry, transport::Incoming};
//! use tokio_util::sync::CancellationToken;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let telemetry = telemetry::init(telemetry::TelemetryOptions::new("example-svc"))?;
//! let shutdown = CancellationToken::new();
//! let stop = shutdown.clone();
//! tokio::spawn(async move {
//!     signals::terminated().await;
//!     stop.cancel();
//! });
//! let (ready, readiness) = ops::readiness();
//! let state = ops::OpsState { metrics: Metrics::new("example-svc"), ready: readiness };
//! tokio::spawn(ops::serve(tokio::net::TcpListener::bind("127.0.0.1:7490").await?, state, shutdown.clone()));
//!
//! let listener = tokio::net::TcpListener::bind("127.0.0.1:7480").await?;
//! let host = GrpcHost::new(&[]).token(Secret::from_file("token".as_ref())?);
//! ready.send_replace(ops::Readiness::Ready);
//! host.serve(Incoming::Tcp(listener), shutdown).await?;
//! telemetry.shutdown();
//! # Ok(())
//! # }
//! ```

pub mod access;
mod admission;
pub mod auth;
pub mod causes;
pub mod client;
pub mod config;
pub mod deadline;
pub mod fatal;
pub mod healthcheck;
pub mod identity;
pub mod manual;
pub mod metrics;
pub mod open_files;
pub mod ops;
mod private_file;
pub mod secret;
pub mod server;
pub mod signals;
pub mod slack;
pub mod systemd;
pub mod telemetry;
pub mod trace_context;
pub mod transport;
