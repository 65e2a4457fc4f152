//! The metrics of one service.
//!
//! Enters: metrics that a service registers once and counts in. Leaves: OpenMetrics text
//! (<https://prometheus.io/docs/specs/om/open_metrics_spec/>), which Prometheus reads. Always there: what was built
//! (`pm_build_info`), what the server itself costs (`process_…`, the names that every Prometheus client uses), and how many
//! log lines it had to leave out.

mod log_lines;
mod own_process;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use prometheus_client::collector::Collector;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Metric, Registry};

use log_lines::LogLines;
use own_process::OwnProcess;

/// `Content-Type` of [`Metrics::encode`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A handle to the registry; clones share it.
#[derive(Clone)]
pub struct Metrics(Arc<Mutex<Registry>>);

impl Metrics {
    /// A registry with `pm_build_info{service,version}`, `pm_log_lines_dropped_total` and the `process_…` metrics.
    #[must_use]
    pub fn new(service: &str) -> Self {
        let mut registry = Registry::default();
        let build = vec![("service", service.to_owned()), ("version", env!("CARGO_PKG_VERSION").to_owned())];
        registry.register("pm_build", "What this server was built from", Info::new(build));
        registry.register_collector(Box::new(OwnProcess));
        registry.register_collector(Box::new(LogLines));
        Self(Arc::new(Mutex::new(registry)))
    }

    /// Adds a metric. `name` is the whole name with its prefix and without `_total`, which counters get by
    /// themselves; `help` says in one line what is counted, and in which unit.
    pub fn register(&self, name: &str, help: &str, metric: impl Metric) {
        self.registry().register(name, help, metric);
    }

    /// Adds what is measured at each scrape rather than counted as it happens.
    pub fn register_collector(&self, collector: impl Collector) {
        self.registry().register_collector(Box::new(collector));
    }

    /// The text that a scrape gets. Runs the collectors.
    #[must_use]
    pub fn encode(&self) -> String {
        let mut text = String::new();
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &self.registry()) {
            // Writing to a string does not fail, so a collector did; a scraper rejects a text without its `# EOF`.
            tracing::error!(%error, "cannot encode metrics");
        }
        text
    }

    fn registry(&self) -> MutexGuard<'_, Registry> {
        // A collector that panicked has not harmed the list of metrics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Metrics")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use prometheus_client::metrics::counter::Counter;

    #[test]
    fn the_text_holds_build_own_process_and_what_was_registered() {
        let metrics = Metrics::new("example-svc");
        let calls: Counter = Counter::default();
        metrics.register("pm_calls", "Calls answered", calls.clone());
        calls.inc_by(3);
        let text = metrics.encode();
        let build = format!("pm_build_info{{service=\"example-svc\",version=\"{}\"}} 1", env!("CARGO_PKG_VERSION"));
        let lines = "# TYPE pm_log_lines_dropped counter";
        for expected in [build.as_str(), "pm_calls_total 3", "# HELP pm_calls Calls answered", lines, "# EOF"] {
            assert!(text.contains(expected), "{expected} is missing in\n{text}");
        }
    }

    #[test]
    fn the_own_process_is_measured_with_plausible_numbers() {
        let text = Metrics::new("example-svc").encode();
        let value = |name: &str| -> f64 {
            let line = text.lines().find(|line| line.starts_with(&format!("{name} "))).expect(name);
            line.rsplit(' ').next().unwrap().parse().unwrap()
        };
        assert!(value("process_resident_memory_bytes") > 100_000.0);
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!(value("process_open_fds") >= 3.0 && value("process_open_fds") <= value("process_max_fds"));
        assert!(value("process_threads") >= 1.0);
        assert!(value("process_cpu_seconds_total") >= 0.0);
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs_f64();
        let started = value("process_start_time_seconds");
        assert!(started <= now + 2.0 && started > now - 3600.0, "started {started}, now {now}");
    }
}
