//! The log's own figures as metrics, taken when somebody asks.

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, NoLabelSet};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;
use registry_log::{Histogram, Log};
use service_host::metrics::Metrics;
use std::fmt;
use std::sync::Arc;

/// Registers `pm_registry_fsync_seconds`, `pm_registry_log_bytes`,
/// `pm_registry_log_segments` and `pm_registry_disk_free_bytes`.
pub fn register(metrics: &Metrics, disk: Arc<Log>) {
    metrics.register_collector(LogNumbers(disk));
}

struct LogNumbers(Arc<Log>);

impl fmt::Debug for LogNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("LogNumbers")
    }
}

impl Collector for LogNumbers {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let figures = self.0.figures();
        let syncs = &figures.syncs;
        let help = "Time that each sync of the log took, in seconds";
        encoder
            .encode_descriptor("pm_registry_fsync_seconds", help, None::<&Unit>, MetricType::Histogram)?
            .encode_histogram::<NoLabelSet>(seconds(syncs.sum_micros), syncs.count, &classes(syncs), None)?;
        let mut gauge = |name: &str, help: &str, value: u64| {
            let gauge = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            gauge.encode(encoder.encode_descriptor(name, help, None, MetricType::Gauge)?)
        };
        gauge("pm_registry_log_bytes", "Bytes of the log's segments on the disk", figures.disk_bytes)?;
        gauge("pm_registry_log_segments", "Segments of the log, the prepared one included", figures.segments)?;
        // Without an answer of the file system there is nothing to show: a gap says less than a wrong 0.
        let Some(free) = self.0.free_bytes() else { return Ok(()) };
        gauge("pm_registry_disk_free_bytes", "Bytes that are free where the log is", free)
    }
}

/// Upper bound in seconds and count of each class.
fn classes(histogram: &Histogram) -> Vec<(f64, u64)> {
    let bound = |class| if class == Histogram::CLASSES - 1 { f64::INFINITY } else { seconds(Histogram::bound(class)) };
    histogram.classes.iter().enumerate().map(|(class, count)| (bound(class), *count)).collect()
}

fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;
    use registry_log::{Floor, Identity, Settings, Write};

    #[test]
    fn each_sync_and_the_size_of_the_log_are_shown() {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("log");
        let identity = Identity { cluster: [1; 16], replica: 1, epoch: 1, store: [2; 16] };
        let settings = Settings { segment_bytes: 64 << 10, reserve_bytes: 0, ..Settings::default() };
        Log::create(&dir, &identity, &settings).unwrap();
        let log = Arc::new(Log::open(&dir, &identity, &settings, &Floor::default()).unwrap().0);
        let metrics = Metrics::new("test");
        register(&metrics, log.clone());
        for term in 0..5 {
            let vote = registry_log::Vote { term, voted_for: None, committed: false };
            let lsn = log.submit(Write::Vote(vote), drop).unwrap();
            log.wait(lsn).unwrap();
        }
        log.close().unwrap();
        let figures = log.figures();
        let text = metrics.encode();
        let count = figures.syncs.count;
        assert!(count >= 6, "the opening's and five votes");
        for line in [
            format!("pm_registry_fsync_seconds_count {count}"),
            format!("pm_registry_fsync_seconds_bucket{{le=\"+Inf\"}} {count}"),
            format!("pm_registry_log_bytes {}", figures.disk_bytes),
            format!("pm_registry_log_segments {}", figures.segments),
        ] {
            assert!(text.lines().any(|found| found == line), "{line} is missing in {text}");
        }
        assert!(text.contains("\npm_registry_disk_free_bytes "), "{text}");
        // Classes add up towards the longest.
        let counts: Vec<u64> = text
            .lines()
            .filter(|line| line.starts_with("pm_registry_fsync_seconds_bucket"))
            .map(|line| line.rsplit(' ').next().unwrap().parse().unwrap())
            .collect();
        assert_eq!(counts.len(), Histogram::CLASSES);
        assert!(counts.is_sorted());
    }
}
