//! How many log lines were left out, read at each scrape.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;

/// `pm_log_lines_dropped_total`: a process has one stderr, so the number is the process's and not of one registry.
#[derive(Debug)]
pub(super) struct LogLines;

impl Collector for LogLines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        let dropped = ConstCounter::new(crate::telemetry::dropped_lines());
        let help = "Log lines that were left out because standard error did not take them";
        dropped.encode(encoder.encode_descriptor("pm_log_lines_dropped", help, None, dropped.metric_type())?)
    }
}
