//! The operations port: what a prober, a scraper and an on-call engineer ask.
//!
//! Enters: HTTP `GET /healthz`, `/readyz`, `/metrics` and gRPC `grpc.health.v1` on one plaintext port. Leaves: up or
//! not, ready or why not, numbers. No token, by design: it shows no secret and changes nothing.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tonic::service::Routes;
use tonic_health::ServingStatus;
use tonic_health::pb::health_server::HealthServer;
use tonic_health::server::{HealthReporter, HealthService};

use crate::metrics::{self, Metrics};
use crate::server::{ServeError, serve_http};

/// Whether the service can do its work now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Readiness {
    /// It can.
    Ready,
    /// It cannot, for this reason (one line, shown to whoever asks: no secrets).
    NotReady(String),
}

/// What the port shows.
#[derive(Clone, Debug)]
pub struct OpsState {
    /// For `/metrics`.
    pub metrics: Metrics,
    /// For `/readyz` and for gRPC health.
    pub ready: watch::Receiver<Readiness>,
}

/// A readiness that starts with "starting": the service keeps the sender, [`OpsState`] takes the receiver.
#[must_use]
pub fn readiness() -> (watch::Sender<Readiness>, watch::Receiver<Readiness>) {
    watch::channel(Readiness::NotReady("starting".to_owned()))
}

/// Serves the port until `shutdown`; ends in bounded time, as [`serve_http`].
///
/// # Errors
/// When the server fails.
pub async fn serve(listener: TcpListener, state: OpsState, shutdown: CancellationToken) -> Result<(), ServeError> {
    let reporter = HealthReporter::new();
    let health = HealthServer::new(HealthService::from_health_reporter(reporter.clone()));
    let ready = state.ready.clone();
    let pages = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(readyz))
        .route("/metrics", get(show_metrics))
        .with_state(state);
    // In the place of gRPC's own fallback, which answers a browser's typing error with 200 and an empty page.
    let router = Routes::new(health).into_axum_router().fallback(unknown_path).merge(pages);
    let follow = follow_readiness(reporter, ready, shutdown.clone());
    let (served, ()) = tokio::join!(serve_http(router, listener, shutdown), follow);
    served
}

async fn readyz(State(state): State<OpsState>) -> impl IntoResponse {
    let readiness = state.ready.borrow().clone();
    match readiness {
        Readiness::Ready => (StatusCode::OK, "ready\n".to_owned()),
        Readiness::NotReady(why) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {why}\n")),
    }
}

async fn unknown_path() -> impl IntoResponse {
    (StatusCode::NOT_FOUND, "not found; there are /healthz, /readyz, /metrics and grpc.health.v1\n")
}

async fn show_metrics(State(state): State<OpsState>) -> impl IntoResponse {
    ([(CONTENT_TYPE, metrics::CONTENT_TYPE)], state.metrics.encode())
}

/// Keeps gRPC health's answer for `""`, the server as a whole, equal to the readiness; at the stop says so to those
/// who watch and ends their streams.
async fn follow_readiness(
    mut reporter: HealthReporter,
    mut ready: watch::Receiver<Readiness>,
    shutdown: CancellationToken,
) {
    loop {
        let status = match &*ready.borrow_and_update() {
            Readiness::Ready => ServingStatus::Serving,
            Readiness::NotReady(_) => ServingStatus::NotServing,
        };
        reporter.set_service_status("", status).await;
        tokio::select! {
            () = shutdown.cancelled() => break,
            // Whoever dropped the sender has said their last word about readiness.
            changed = ready.changed() => if changed.is_err() {
                shutdown.cancelled().await;
                break;
            }
        }
    }
    reporter.set_service_status("", ServingStatus::NotServing).await;
    reporter.clear_service_status("").await;
}
