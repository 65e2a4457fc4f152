//! What this runner shows to a scraper: `pm_runner_…`, names and units as
//! Prometheus has them.
//!
//! Counted as it happens: starts, failures to start, ends, restarts, bytes that
//! no log file took, sessions. Measured at each scrape: instances by phase.

use crate::roster::Roster;
use process_model::{ExitStatus, InstanceId, Phase};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use runner_domain::{Input, Machine, RunId, State};
use service_host::metrics::Metrics;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The process that a number is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Of {
    process: String,
}

/// The process that a number is about, and how its program ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct End {
    process: String,
    outcome: &'static str,
}

/// The few words for how a program ended: each code and signal would be a
/// series of its own.
fn outcome(status: &ExitStatus, out_of_memory: bool) -> &'static str {
    match status {
        ExitStatus::Code(_) | ExitStatus::Signal(_) if out_of_memory => "out_of_memory",
        ExitStatus::Code(0) => "success",
        ExitStatus::Code(_) => "error",
        ExitStatus::Signal(_) => "signal",
        ExitStatus::Unknown(_) => "unknown",
    }
}

/// Whether the end of that run's main process is news: it is said again to the next runner, and while a tree is ended.
fn is_running(state: &State, of: RunId) -> bool {
    let ended = if let State::Stopping(stop) = state { stop.pid.is_none() } else { false };
    state.run() == Some(of) && !ended
}

/// What is counted as it happens. Clones share it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    starts: Family<Of, Counter>,
    start_failures: Family<Of, Counter>,
    restarts: Family<Of, Counter>,
    exits: Family<End, Counter>,
    log_dropped: Family<Of, Counter>,
    registry_connected: Gauge,
    /// Bytes that the present run of an instance is missing: the keeper says
    /// sums.
    missing: Arc<Mutex<BTreeMap<InstanceId, (RunId, u64)>>>,
}

impl Counters {
    /// Counts what is about to be taken in.
    pub(crate) fn heard(&self, machine: &Machine, input: &Input) {
        let of = || Of { process: machine.instance().process.to_string() };
        let is_starting = |of: RunId| matches!(machine.state(), State::Starting { run, .. } if *run == of);
        if let Input::Spawned { run, .. } = input
            && is_starting(*run)
        {
            self.starts.get_or_create(&of()).inc();
            if machine.view().restarts > 0 {
                self.restarts.get_or_create(&of()).inc();
            }
        } else if let Input::SpawnFailed { run, .. } = input
            && is_starting(*run)
        {
            self.start_failures.get_or_create(&of()).inc();
        } else if let Input::Exited { run, status, out_of_memory, .. } = input
            && is_running(machine.state(), *run)
        {
            let outcome = outcome(status, *out_of_memory);
            self.exits.get_or_create(&End { process: machine.instance().process.to_string(), outcome }).inc();
        } else if let Input::LogTrouble { run, dropped, .. } = input {
            self.log_dropped.get_or_create(&of()).inc_by(self.newly_missing(machine.instance(), *run, *dropped));
        }
    }

    fn newly_missing(&self, instance: &InstanceId, run: RunId, dropped: u64) -> u64 {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        let known = missing.get(instance).filter(|(of, _)| *of == run).map_or(0, |(_, known)| *known);
        if dropped > 0 {
            missing.insert(instance.clone(), (run, dropped));
        }
        dropped.saturating_sub(known)
    }

    /// Nothing of the instance is left.
    pub(crate) fn gone(&self, instance: &InstanceId) {
        self.missing.lock().unwrap_or_else(PoisonError::into_inner).remove(instance);
    }

    /// The registry has said welcome, or the session has ended.
    pub(crate) fn registry_connected(&self, connected: bool) {
        self.registry_connected.set(connected.into());
    }

    /// Has `metrics` show all of it.
    pub(crate) fn show(&self, metrics: &Metrics, roster: Roster) {
        metrics.register("pm_runner_starts", "Programs started", self.starts.clone());
        metrics.register("pm_runner_start_failures", "Programs that could not be started", self.start_failures.clone());
        metrics.register("pm_runner_restarts", "Programs started again because they had ended", self.restarts.clone());
        metrics.register("pm_runner_exits", "Programs that ended, by how they did", self.exits.clone());
        let dropped = "Bytes of output that no log file took";
        metrics.register("pm_runner_log_dropped_bytes", dropped, self.log_dropped.clone());
        let connected = "Whether the session with the registry is there (1) or not (0)";
        metrics.register("pm_runner_registry_connected", connected, self.registry_connected.clone());
        metrics.register_collector(Measured(roster));
    }
}

/// What is measured at each scrape.
#[derive(Debug)]
struct Measured(Roster);

impl Collector for Measured {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let mut phases: BTreeMap<Phase, i64> = Phase::ALL.into_iter().map(|phase| (phase, 0)).collect();
        let mut of_processes: BTreeMap<(String, Phase), i64> = BTreeMap::new();
        let mut ready = 0;
        self.0.each(|seen| {
            let process = seen.assignment.instance.process.to_string();
            *of_processes.entry((process, seen.view.phase)).or_default() += 1;
            *phases.entry(seen.view.phase).or_default() += 1;
            ready += i64::from(seen.view.ready);
        });
        let help = "Instances on this node by phase";
        let mut family = encoder.encode_descriptor("pm_runner_instances", help, None, MetricType::Gauge)?;
        for (phase, number) in phases {
            let labels = [("phase", phase.as_str())];
            ConstGauge::new(number).encode(family.encode_family(&labels)?)?;
        }
        if !of_processes.is_empty() {
            let help = "Instances of a process on this node by phase; a phase that none is in is left out";
            let name = "pm_runner_process_instances";
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for ((process, phase), number) in &of_processes {
                let labels = [("process", process.as_str()), ("phase", phase.as_str())];
                ConstGauge::new(*number).encode(family.encode_family(&labels)?)?;
            }
        }
        let help = "The node that this runner is of: its name is the label of a constant 1";
        let mut family = encoder.encode_descriptor("pm_runner_node", help, None, MetricType::Gauge)?;
        let node = self.0.surroundings().node.to_string();
        ConstGauge::new(1_i64).encode(family.encode_family(&[("node", node.as_str())])?)?;
        let help = "Instances on this node that are ready";
        let family = encoder.encode_descriptor("pm_runner_instances_ready", help, None, MetricType::Gauge)?;
        ConstGauge::new(ready).encode(family)?;
        let keeper = self.0.keeper();
        let help = "Whether the keeper answers (1) or not (0)";
        let family = encoder.encode_descriptor("pm_runner_keeper_connected", help, None, MetricType::Gauge)?;
        ConstGauge::new(i64::from(keeper.connected)).encode(family)?;
        let help = "Keepers that were lost";
        let family = encoder.encode_descriptor("pm_runner_keeper_losses", help, None, MetricType::Counter)?;
        prometheus_client::metrics::counter::ConstCounter::new(keeper.losses).encode(family)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_is_told_in_one_of_five_words() {
        let told = [
            (ExitStatus::Code(0), false),
            (ExitStatus::Code(3), false),
            (ExitStatus::Signal(15), false),
            (ExitStatus::Signal(9), true),
            (ExitStatus::Unknown("nobody saw it".to_owned()), false),
        ]
        .map(|(status, out_of_memory)| outcome(&status, out_of_memory));
        assert_eq!(told, ["success", "error", "signal", "out_of_memory", "unknown"]);
    }

    #[test]
    fn bytes_are_counted_once_though_the_keeper_says_sums() {
        let counters = Counters::default();
        let id: InstanceId = "web-1".parse().unwrap();
        let sums = [(1, 10), (1, 10), (1, 25), (2, 5), (2, 0), (2, 7)];
        let counted: Vec<u64> = sums.map(|(run, sum)| counters.newly_missing(&id, RunId(run), sum)).into();
        assert_eq!(counted, [10, 0, 15, 5, 0, 2]);
        counters.gone(&id);
        assert!(counters.missing.lock().unwrap().is_empty());
    }
}
