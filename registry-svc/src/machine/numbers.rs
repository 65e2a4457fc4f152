//! Metrics of the machine.

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use service_host::metrics::Metrics;

/// What is measured as it happens; clones share it.
#[derive(Debug, Clone)]
pub struct MachineNumbers {
    pub(super) apply: Histogram,
    pub(super) snapshot: Histogram,
    pub(super) dirty: Gauge,
}

impl Default for MachineNumbers {
    fn default() -> Self {
        Self {
            // 16 µs (a small batch) to half a second (a request for all of 100,000 instances).
            apply: Histogram::new(exponential_buckets(0.000_016, 2.0, 16)),
            // 4 ms to two minutes.
            snapshot: Histogram::new(exponential_buckets(0.004, 2.0, 16)),
            dirty: Gauge::default(),
        }
    }
}

impl MachineNumbers {
    /// Registers everything with `metrics`.
    pub fn register(&self, metrics: &Metrics) {
        let help = "Time to apply a run of committed entries, in seconds";
        metrics.register("pm_registry_apply_seconds", help, self.apply.clone());
        let help = "Time from freezing the state to a durable snapshot, in seconds";
        metrics.register("pm_registry_snapshot_seconds", help, self.snapshot.clone());
        let help = "Rows that changed and have yet to be written to the state store";
        metrics.register("pm_registry_dirty_rows", help, self.dirty.clone());
    }
}
