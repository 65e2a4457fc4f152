//! What `grpc.health.v1` answers on a service port.

use tonic_health::ServingStatus;
use tonic_health::server::HealthReporter;

/// Lets a service say that it does not serve at the moment. Cheap to clone. Every service of a host serves until
/// something else is said here; when the host stops, all stop serving.
#[derive(Clone, Debug)]
pub struct HealthHandle {
    reporter: HealthReporter,
}

impl HealthHandle {
    pub(super) fn new(reporter: HealthReporter) -> Self {
        Self { reporter }
    }

    /// `service` (its full protobuf name, or `""` for the host as a whole) serves.
    pub async fn serving(&self, service: &str) {
        self.reporter.set_service_status(service, ServingStatus::Serving).await;
    }

    /// `service` does not serve: clients that look at health go elsewhere.
    pub async fn not_serving(&self, service: &str) {
        self.reporter.set_service_status(service, ServingStatus::NotServing).await;
    }

    /// The last word to those who watch: not serving, and the end of the stream. Without it every open watch would
    /// hold up the stop for its whole grace period.
    pub(super) async fn close(mut self, services: &[&str]) {
        for service in services {
            self.not_serving(service).await;
            self.reporter.clear_service_status(service).await;
        }
    }
}
