//! An instance as it is shown: with its newest measurement, worst first where
//! that is wanted.

use crate::output::{Cell, Column, Listed, Tone, human};
use pm_proto::json::JsonError;
use pm_proto::v1::{Instance, InstancePhase, InstanceSample};
use process_model::Timestamp;

/// An instance and what was last measured of it.
#[derive(Debug, Clone, PartialEq)]
pub struct InstanceRow {
    /// The instance.
    pub instance: Instance,
    /// The measurement; `None` when there is none of this run.
    pub sample: Option<InstanceSample>,
    /// When it is shown.
    pub now: Timestamp,
}

/// How well an instance does, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Health {
    /// Given up, lost.
    Bad,
    /// Between two runs.
    Unwell,
    /// On its way.
    Moving,
    /// As wanted.
    Well,
    /// At rest.
    Resting,
}

impl Health {
    /// The health of an instance.
    #[must_use]
    pub fn of(instance: &Instance) -> Self {
        match instance.phase() {
            InstancePhase::Failed | InstancePhase::Lost => Self::Bad,
            InstancePhase::Backoff => Self::Unwell,
            InstancePhase::Running if instance.ready && instance.wanted => Self::Well,
            InstancePhase::Pending
            | InstancePhase::Starting
            | InstancePhase::Running
            | InstancePhase::Stopping
            | InstancePhase::Unspecified => Self::Moving,
            InstancePhase::Stopped | InstancePhase::Exited => Self::Resting,
        }
    }

    /// Its tone.
    #[must_use]
    pub fn tone(self) -> Tone {
        match self {
            Self::Bad => Tone::Bad,
            Self::Unwell | Self::Moving => Tone::Warn,
            Self::Well => Tone::Good,
            Self::Resting => Tone::Dim,
        }
    }
}

/// The word for a phase.
#[must_use]
pub fn phase_word(phase: InstancePhase) -> &'static str {
    process_model::Phase::try_from(phase).map_or("unknown", process_model::Phase::as_str)
}

/// Phase and readiness: `running ✓`, `running (not ready)`, `backoff`.
#[must_use]
pub fn state(instance: &Instance) -> String {
    let word = phase_word(instance.phase());
    match (instance.phase(), instance.ready) {
        (InstancePhase::Running, true) => format!("{word} ✓"),
        (InstancePhase::Running, false) => format!("{word} (not ready)"),
        (
            InstancePhase::Unspecified
            | InstancePhase::Pending
            | InstancePhase::Starting
            | InstancePhase::Backoff
            | InstancePhase::Stopping
            | InstancePhase::Stopped
            | InstancePhase::Exited
            | InstancePhase::Failed
            | InstancePhase::Lost,
            _,
        ) => word.to_owned(),
    }
}

/// How long its current run has lasted.
#[must_use]
pub fn uptime(instance: &Instance, now: Timestamp) -> Option<String> {
    let runs = instance.pid > 0;
    human::time(instance.start_time.as_ref()).filter(|_| runs).map(|start| human::duration(human::between(start, now)))
}

/// When it is started next, and whether as a restart or by its schedule:
/// `next start in 4s`, `next run in 3m`.
#[must_use]
pub fn next(instance: &Instance, now: Timestamp) -> Option<String> {
    let time = human::time(instance.next_restart_time.as_ref())?;
    let word = if instance.phase() == InstancePhase::Backoff { "start" } else { "run" };
    Some(format!("next {word} in {}", human::duration(human::between(now, time))))
}

impl InstanceRow {
    /// Joins an instance with its sample. A sample of an earlier run says
    /// nothing about this one.
    #[must_use]
    pub fn new(instance: Instance, sample: Option<InstanceSample>, now: Timestamp) -> Self {
        let sample = sample.filter(|sample| instance.pid > 0 && sample.pid == instance.pid);
        Self { instance, sample, now }
    }
}

impl Listed for InstanceRow {
    const COLUMNS: &'static [Column] = &[
        Column::text("INSTANCE"),
        Column::text("STATE"),
        Column::number("PID"),
        Column::number("RESTARTS"),
        Column::number("CPU"),
        Column::number("MEMORY"),
        Column::number("THREADS").wide(),
        Column::number("FILES").wide(),
        Column::number("UPTIME"),
        Column::text("NODE"),
        Column::number("GENERATION").wide(),
        Column::text("LAST EXIT").wide(),
        Column::text("HELD BY").wide(),
        Column::text("MESSAGE"),
    ];

    fn cells(&self, wide: bool) -> Vec<Cell> {
        let (instance, sample) = (&self.instance, self.sample.as_ref());
        // That all is well is said by the state.
        let message = match (Health::of(instance), next(instance, self.now)) {
            (Health::Well, _) => instance.status.clone(),
            (Health::Resting, Some(next)) => next,
            (Health::Bad | Health::Unwell | Health::Moving | Health::Resting, _) => instance.message.clone(),
        };
        let message = human::shorten(&message, if wide { 500 } else { 60 });
        vec![
            Cell::plain(&instance.id),
            Cell::new(Health::of(instance).tone(), state(instance)),
            Cell::optional(Some(instance.pid).filter(|pid| *pid > 0).map(|pid| pid.to_string())),
            Cell::plain(instance.restarts.to_string()),
            Cell::optional(sample.map(|sample| format!("{:.1}%", sample.cpu_percent))),
            Cell::optional(sample.map(|sample| human::bytes(sample.memory_bytes))),
            Cell::optional(sample.map(|sample| sample.threads.to_string())),
            Cell::optional(sample.map(|sample| sample.open_files.to_string())),
            Cell::optional(uptime(instance, self.now)),
            Cell::optional(Some(instance.node.clone()).filter(|node| !node.is_empty())),
            Cell::plain(instance.generation.to_string()),
            Cell::optional(super::instance_details::last_exit(instance, &[])),
            Cell::optional(Some(instance.containment.clone()).filter(|word| !word.is_empty())),
            Cell::new(Tone::Plain, message),
        ]
    }

    fn name(&self) -> String {
        format!("instance/{}", self.instance.id)
    }

    /// The instance, and under `sample` its measurement.
    fn value(&self) -> Result<serde_json::Value, JsonError> {
        let mut value = pm_proto::json::to_value(&self.instance)?;
        if let (Some(sample), Some(fields)) = (&self.sample, value.as_object_mut()) {
            fields.insert("sample".to_owned(), pm_proto::json::to_value(sample)?);
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn running(ready: bool) -> Instance {
        Instance {
            id: "web-1".to_owned(),
            phase: InstancePhase::Running.into(),
            ready,
            wanted: true,
            pid: 7,
            start_time: Some(prost_types::Timestamp { seconds: 100, nanos: 0 }),
            ..Instance::default()
        }
    }

    #[test]
    fn the_state_says_in_words_whether_it_is_ready() {
        assert_eq!(state(&running(true)), "running ✓");
        assert_eq!(state(&running(false)), "running (not ready)");
        assert_eq!(state(&Instance::default()), "unknown");
    }

    #[test]
    fn the_worst_comes_first() {
        let phase = |phase: InstancePhase| Instance { phase: phase.into(), ..Instance::default() };
        let mut all = [
            Health::of(&phase(InstancePhase::Stopped)),
            Health::of(&running(true)),
            Health::of(&phase(InstancePhase::Backoff)),
            Health::of(&phase(InstancePhase::Failed)),
            Health::of(&phase(InstancePhase::Starting)),
        ];
        all.sort();
        assert_eq!(all, [Health::Bad, Health::Unwell, Health::Moving, Health::Well, Health::Resting]);
    }

    #[test]
    fn what_runs_and_is_to_end_is_on_its_way_and_says_why_it_has_not_ended() {
        let message = "its stop waits for web-1 on node beta to end".to_owned();
        let instance = Instance { wanted: false, message, ..running(true) };
        assert_eq!(Health::of(&instance), Health::Moving);
        let row = InstanceRow::new(instance, None, Timestamp::from_parts(160, 0));
        assert!(row.cells(false).contains(&Cell::plain("its stop waits for web-1 on node beta to end")));
    }

    #[test]
    fn a_sample_of_an_earlier_run_is_not_shown() {
        let sample = |pid| Some(InstanceSample { pid, memory_bytes: 1024, ..InstanceSample::default() });
        let now = Timestamp::from_parts(160, 0);
        assert!(InstanceRow::new(running(true), sample(6), now).sample.is_none());
        let row = InstanceRow::new(running(true), sample(7), now);
        assert_eq!(row.cells(false).len(), InstanceRow::COLUMNS.len());
        assert_eq!(uptime(&row.instance, now).as_deref(), Some("1m"));
        assert_eq!(row.value().unwrap()["sample"]["memoryBytes"], "1024");
    }
}
