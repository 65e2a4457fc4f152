//! Encodes the domain's metric families, and the monitor's own state, at each
//! scrape. What the inventory no longer has is gone from the next one.

use crate::driver::Driver;
use monitor_domain::exposition::{Family, Kind, Point};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use std::fmt;
use std::sync::Arc;

#[derive(Debug)]
pub(crate) struct MonitorCollector {
    driver: Arc<Driver>,
}

impl MonitorCollector {
    pub(crate) fn new(driver: Arc<Driver>) -> Self {
        Self { driver }
    }
}

impl Collector for MonitorCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
        for family in self.driver.families().into_iter().chain(own(&self.driver)) {
            encode_family(&mut encoder, &family)?;
        }
        Ok(())
    }
}

fn encode_family(encoder: &mut DescriptorEncoder<'_>, family: &Family) -> Result<(), fmt::Error> {
    match family.kind {
        Kind::Counter => {
            // The encoder adds `_total` itself.
            let name = family.name.strip_suffix("_total").unwrap_or(family.name);
            encode_points(encoder, name, family, ConstCounter::new)
        }
        Kind::Gauge => encode_points(encoder, family.name, family, ConstGauge::new),
    }
}

fn encode_points<M: EncodeMetric>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    family: &Family,
    metric: impl Fn(f64) -> M,
) -> Result<(), fmt::Error> {
    let kind = metric(0.0).metric_type();
    let mut points = encoder.encode_descriptor(name, family.help, None, kind)?;
    for point in &family.points {
        if point.labels.is_empty() {
            metric(point.value).encode(points)?;
            // A metric without labels has one value.
            return Ok(());
        }
        metric(point.value).encode(points.encode_family(&point.labels.as_slice())?)?;
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss)] // Counts of things in memory are far below 2^53.
fn own(driver: &Driver) -> Vec<Family> {
    let view = driver.view();
    let instances: usize = view.nodes.iter().map(|(_, instances)| instances).sum();
    let gauge = |name, help, value: usize| Family {
        name,
        help,
        kind: Kind::Gauge,
        points: vec![Point { labels: Vec::new(), value: value as f64 }],
    };
    vec![
        gauge("pm_monitor_nodes", "Nodes that are connected", view.nodes.len()),
        gauge("pm_monitor_instances", "Instances that connected nodes have", instances),
        gauge("pm_monitor_history_series", "Instances and nodes of which samples are kept", view.history.series),
        gauge("pm_monitor_history_samples", "Samples that are kept", view.history.samples),
        gauge("pm_monitor_history_bytes", "Memory that the kept samples take, in bytes", view.history.bytes),
        gauge("pm_monitor_log_readers", "Clients that are reading logs", view.reads),
        gauge("pm_monitor_log_relays", "Logs that are being relayed", view.tails),
    ]
}
