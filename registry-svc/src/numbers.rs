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
    /// Runners that were received.
    pub(crate) received: Counter,
    /// Runners that were told to come again.
    pub(crate) sent_away: Counter,
    /// Streams of events that are open.
    pub(crate) watchers: Gauge,
    /// Streams that were cut, as they were too slow for the events that are kept.
    pub(crate) watchers_cut: Counter,
}

impl Numbers {
    /// Registers everything with `metrics`.
    pub(crate) fn new(metrics: &Metrics, view: Arc<View>) -> Self {
        let numbers = Self {
            commands: Counter::default(),
            // 0.25 ms (an fsync on a fast disk) to 4 s (a disk in trouble).
            commits: Histogram::new(exponential_buckets(0.00025, 2.0, 15)),
            sessions: Gauge::default(),
            received: Counter::default(),
            sent_away: Counter::default(),
            watchers: Gauge::default(),
            watchers_cut: Counter::default(),
        };
        metrics.register("pm_registry_commands", "Commands that were committed", numbers.commands.clone());
        metrics.register(
            "pm_registry_commit_seconds",
            "Time from proposal to applied entry, in seconds",
            numbers.commits.clone(),
        );
        metrics.register("pm_registry_sessions", "Runners that are connected", numbers.sessions.clone());
        metrics.register("pm_registry_sessions_received", "Runners that were received", numbers.received.clone());
        metrics.register(
            "pm_registry_sessions_sent_away",
            "Runners that were told to come again, as many came at once",
            numbers.sent_away.clone(),
        );
        metrics.register("pm_registry_watchers", "Streams of events that are open", numbers.watchers.clone());
        metrics.register(
            "pm_registry_watchers_cut",
            "Streams of events that were cut, as they were too slow",
            numbers.watchers_cut.clone(),
        );
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
        let (revision, applied, processes, nodes, brake, phases) = {
            let machine = self.0.read();
            let state = &machine.state;
            let phases = Phase::ALL.map(|phase| (phase, state.phases().get(&phase).copied().unwrap_or(0)));
            let mut nodes = [("ready", 0), ("suspect", 0), ("lost", 0)];
            for node in state.nodes().values() {
                nodes[match node.state {
                    NodeState::Ready => 0,
                    NodeState::Suspect => 1,
                    NodeState::Lost => 2,
                }]
                .1 += 1;
            }
            let brake = i64::from(state.meta().brake.is_some());
            let applied = machine.applied.at.map_or(0, |at| at.index);
            (state.revision(), applied, state.processes().len(), nodes, brake, phases)
        };
        let mut plain = |name: &str, help: &str, value: i64| {
            let gauge = ConstGauge::new(value);
            gauge.encode(encoder.encode_descriptor(name, help, None, gauge.metric_type())?)
        };
        plain("pm_registry_revision", "Revision of the newest event", signed(revision))?;
        plain("pm_registry_applied_index", "Index of the last applied log entry", signed(applied))?;
        plain("pm_registry_processes", "Processes that are defined", signed(processes as u64))?;
        plain("pm_registry_brake", "1 while nothing of lost nodes is replaced, as many were lost at once", brake)?;
        labelled(&mut encoder, "pm_registry_nodes", "Nodes by state", "state", nodes.into_iter())?;
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
