//! What the monitor counts as it happens.

use monitor_domain::history::Recorded;
use prometheus_client::metrics::counter::Counter;
use service_host::metrics::Metrics;

#[derive(Debug, Default)]
pub(crate) struct Counters {
    accepted: Counter,
    repeated: Counter,
    refused: Counter,
    relayed_bytes: Counter,
}

impl Counters {
    pub(crate) fn register(&self, metrics: &Metrics) {
        metrics.register("pm_monitor_samples", "Samples taken in", self.accepted.clone());
        metrics.register(
            "pm_monitor_samples_repeated",
            "Samples that were not newer than what was known, and dropped",
            self.repeated.clone(),
        );
        metrics.register(
            "pm_monitor_samples_refused",
            "Samples dropped because there was no memory for another series",
            self.refused.clone(),
        );
        metrics.register("pm_monitor_log_bytes", "Log bytes relayed to readers", self.relayed_bytes.clone());
    }

    pub(crate) fn recorded(&self, outcome: Recorded) {
        match outcome {
            Recorded::Accepted => self.accepted.inc(),
            Recorded::AlreadySo => self.repeated.inc(),
            Recorded::Full => self.refused.inc(),
        };
    }

    pub(crate) fn relayed(&self, bytes: u64) {
        self.relayed_bytes.inc_by(bytes);
    }
}
