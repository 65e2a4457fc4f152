//! The service as others embed it: `main`, `pmctl up` and tests.

use crate::driver::Driver;
use crate::metrics::MonitorCollector;
use crate::{access, api};
use pm_proto::v1::log_service_server::LogServiceServer;
use pm_proto::v1::monitor_intake_service_server::MonitorIntakeServiceServer;
use pm_proto::v1::sample_service_server::SampleServiceServer;
use service_host::metrics::Metrics;
use service_host::secret::Secret;
use service_host::server::{GrpcHost, ServeError};
use service_host::transport::Incoming;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// How often what is too old is forgotten, as a part of the retention: then at
/// most 1/60 more than the retention is held, and an hour costs 60 passes.
const PASSES_PER_RETENTION: u32 = 60;

/// What a monitor needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// What every caller has to show.
    pub token: Secret,
    /// How long samples are kept.
    pub retention: Duration,
}

impl Options {
    /// The usual ones: samples are kept for an hour.
    #[must_use]
    pub fn new(token: Secret) -> Self {
        Self { token, retention: Duration::from_secs(3600) }
    }
}

/// A monitor. Clones are handles to the same one.
#[derive(Debug, Clone)]
pub struct Monitor {
    options: Options,
    driver: Arc<Driver>,
    metrics: Metrics,
}

impl Monitor {
    /// A monitor that remembers nothing yet.
    #[must_use]
    pub fn new(options: Options) -> Self {
        let driver = Arc::new(Driver::new(options.retention));
        let metrics = Metrics::new("monitor-svc");
        driver.counters().register(&metrics);
        metrics.register_collector(MonitorCollector::new(Arc::clone(&driver)));
        Self { options, driver, metrics }
    }

    /// Serves runners and clients until `shutdown`. May run more than once at
    /// a time, for more than one way in.
    ///
    /// # Errors
    /// When the server fails.
    pub async fn serve(&self, incoming: Incoming, shutdown: CancellationToken) -> Result<(), ServeError> {
        let intake = api::IntakeApi::new(Arc::clone(&self.driver), shutdown.clone());
        let samples = api::SamplesApi::new(Arc::clone(&self.driver), self.metrics.clone());
        let logs = api::LogsApi::new(Arc::clone(&self.driver), shutdown.clone());
        let host = GrpcHost::new(pm_proto::DESCRIPTORS)
            .token(self.options.token.clone())
            .access(access::TABLE)
            .service(MonitorIntakeServiceServer::new(intake))
            .service(SampleServiceServer::new(samples))
            .service(LogServiceServer::new(logs));
        tokio::select! {
            served = host.serve(incoming, shutdown) => served,
            never = self.forget() => match never {},
        }
    }

    /// What a scrape of the monitor shows.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        self.metrics.clone()
    }

    /// Logs what the monitor holds, for whoever looks for a fault.
    pub fn dump(&self) {
        let view = self.driver.view();
        tracing::info!(
            series = view.history.series,
            samples = view.history.samples,
            bytes = view.history.bytes,
            nodes = view.nodes.len(),
            log_readers = view.reads,
            log_relays = view.tails,
            "monitor state"
        );
        for (node, instances) in view.nodes {
            tracing::info!(%node, instances, "connected node");
        }
    }

    async fn forget(&self) -> Infallible {
        let pause = (self.options.retention / PASSES_PER_RETENTION).max(Duration::from_secs(1));
        let mut passes = tokio::time::interval(pause);
        passes.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            passes.tick().await;
            self.driver.forget_old();
        }
    }
}
