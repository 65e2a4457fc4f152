//! Metrics of the registry.

use crate::view::View;
use process_model::Phase;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use registry_domain::NodeState;
use service_host::metrics::Metrics;
use std::sync::Arc;
use std::time::Duration;

/// What is counted as it happens.
#[derive(Debug)]
pub(crate) struct Numbers {
    commands: Counter,
    commits: Histogram,
    /// Runners that are connected.
    pub(crate) sessions: Gauge,
    /// Streams of events that are open.
    pub(crate) watchers: Gauge,
}

impl Numbers {
    /// Registers everything with `metrics`.
    pub(crate) fn new(metrics: &Metrics, view: Arc<View>) -> Self {
        let numbers = Self {
            commands: Counter::default(),
            // 0.25 ms (an fsync on a fast disk) to 4 s (a disk in trouble).
            commits: Histogram::new(exponential_buckets(0.00025, 2.0, 15)),
            sessions: Gauge::default(),
            watchers: Gauge::default(),
        };
        metrics.register("pm_registry_commands", "Commands that were committed", numbers.commands.clone());
        metrics.register(
            "pm_registry_commit_seconds",
            "Time from proposal to applied entry, in seconds",
            numbers.commits.clone(),
        );
        metrics.register("pm_registry_sessions", "Runners that are connected", numbers.sessions.clone());
        metrics.register("pm_registry_watchers", "Streams of events that are open", numbers.watchers.clone());
        let feed = view.feed();
        metrics.register("pm_registry_watchers_woken", "Times that a watcher was woken", feed.woken.clone());
        metrics.register("pm_registry_events_encoded", "Events encoded, once for all watchers", feed.encoded.clone());
        metrics.register_collector(Contents(view));
        numbers
    }

    pub(crate) fn committed(&self, commands: usize, took: Duration) {
        self.commands.inc_by(commands as u64);
        self.commits.observe(took.as_secs_f64());
    }
}

/// What is there, counted when somebody asks.
#[derive(Debug)]
struct Contents(Arc<View>);

impl Collector for Contents {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let (revision, applied, processes, ready, lost, phases) = {
            let machine = self.0.read();
            let state = &machine.state;
            let phases = Phase::ALL.map(|phase| (phase, state.phases().get(&phase).copied().unwrap_or(0)));
            let ready = state.nodes().values().filter(|n| n.state == NodeState::Ready).count();
            let applied = machine.applied.at.map_or(0, |at| at.index);
            (state.revision(), applied, state.processes().len(), ready, state.nodes().len() - ready, phases)
        };
        let mut plain = |name: &str, help: &str, value: i64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        plain("pm_registry_revision", "Revision of the newest event", signed(revision))?;
        plain("pm_registry_applied_index", "Index of the last applied log entry", signed(applied))?;
        plain("pm_registry_processes", "Processes that are defined", signed(processes as u64))?;
        let by_state = [("ready", ready as i64), ("lost", lost as i64)];
        labelled(&mut encoder, "pm_registry_nodes", "Nodes by state", "state", by_state.into_iter())?;
        let by_phase = phases.iter().map(|(phase, count)| (phase.as_str(), *count as i64));
        labelled(&mut encoder, "pm_registry_instances", "Instances by phase", "phase", by_phase)
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn labelled<'a>(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    label: &'static str,
    values: impl Iterator<Item = (&'a str, i64)>,
) -> Result<(), std::fmt::Error> {
    let kind = prometheus_client::metrics::MetricType::Gauge;
    let mut family = encoder.encode_descriptor(name, help, None, kind)?;
    for (value, count) in values {
        ConstGauge::new(count).encode(family.encode_family(&[(label, value)])?)?;
    }
    Ok(())
}
