//! What the tests share: a gateway on a free port, the services behind it, and
//! clients.

mod fake_monitor;
mod fake_nodes;
mod fake_registry;
mod http_client;
mod rig;

pub(crate) use fake_registry::{FakeRegistry, Memory};
pub(crate) use http_client::{Ask, raw_grpc};
pub(crate) use rig::{ADMIN, Rig, SERVICE, VIEWER};

/// Longer than anything here takes; a test that hangs says where.
pub(crate) const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);

/// Fails instead of hanging.
pub(crate) async fn soon<F: Future>(what: &str, future: F) -> F::Output {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}
