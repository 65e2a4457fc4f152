//! A world for the machine: it carries out effects and checks what must hold
//! in every life.

use crate::{Context, Effect, Input, Machine, Order, RunId, Timer};
use process_model::spec::{Backoff, Command, RestartMode, Signal};
use process_model::{Assignment, ExitStatus, InstanceId, ProcessSpec, Timestamp};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What the keeper knows of a run.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Run {
    /// Asked for; the keeper has not answered.
    Requested,
    /// Alive.
    Alive,
    /// The main process ended; children are left.
    Orphaned,
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) runs: BTreeMap<RunId, Run>,
    pub(crate) timers: BTreeMap<Timer, Duration>,
    pub(crate) signals: Vec<(RunId, Signal)>,
    pub(crate) reports: Vec<&'static str>,
    pub(crate) spawns: u32,
    pub(crate) observed: Option<RunId>,
    pub(crate) gone: bool,
    pub(crate) now: Duration,
    next_run: u64,
    pid: u32,
}

pub(crate) fn spec(mode: RestartMode) -> ProcessSpec {
    let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()));
    spec.restart.mode = mode;
    spec.restart.backoff = Backoff { jitter: 0.0, ..Backoff::default() };
    spec
}

pub(crate) fn assignment(spec: ProcessSpec, wanted: bool) -> Assignment {
    let instance = InstanceId::new(spec.name.clone(), 1);
    Assignment { instance, generation: 1, spec: Arc::new(spec), wanted, restart_count: 0, traceparent: String::new() }
}

impl World {
    pub(crate) fn new(assignment: Assignment) -> Self {
        let mut world = Self {
            machine: Machine::new(assignment.clone()),
            runs: BTreeMap::new(),
            timers: BTreeMap::new(),
            signals: Vec::new(),
            reports: Vec::new(),
            spawns: 0,
            observed: None,
            gone: false,
            now: Duration::ZERO,
            next_run: 1,
            pid: 100,
        };
        world.step(Input::Assigned(assignment));
        world
    }

    pub(crate) fn step(&mut self, input: Input) {
        self.next_run += 1;
        let ctx = Context { now: self.now, wall: Timestamp(1), roll: 0.5, next_run: RunId(self.next_run) };
        for effect in self.machine.step(input, &ctx) {
            self.carry_out(effect);
        }
        self.check();
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { run } => {
                assert!(self.runs.is_empty(), "a second start while {:?}", self.runs);
                assert!(self.machine.is_wanted(), "started though nobody wants it");
                self.spawns += 1;
                self.runs.insert(run, Run::Requested);
            }
            Effect::SignalTree { run, signal } => {
                assert!(self.runs.contains_key(&run), "a signal to a run that is not there");
                self.signals.push((run, signal));
            }
            Effect::ForgetRun { run } => {
                assert!(!self.runs.contains_key(&run), "forgot a run that is alive");
            }
            Effect::Arm { timer, after } => {
                assert!(after <= Duration::from_secs(24 * 3600), "a timer without bound");
                self.timers.insert(timer, self.now + after);
            }
            Effect::Disarm { timer } => {
                self.timers.remove(&timer);
            }
            Effect::Observe { run } => self.observed = Some(run),
            Effect::Unobserve => self.observed = None,
            Effect::Report { event, .. } => self.reports.push(event),
            Effect::Gone => self.gone = true,
        }
    }

    /// What holds after every step.
    fn check(&self) {
        let view = self.machine.view();
        if view.phase.is_at_rest() && !matches!(self.machine.state(), crate::State::Stuck { .. }) {
            assert!(self.runs.is_empty(), "at rest while {:?}", self.runs);
        }
        if view.phase == process_model::Phase::Stopping {
            assert!(self.timers.contains_key(&Timer::Stop), "a stop without a bound");
        }
        if view.phase == process_model::Phase::Backoff {
            assert!(self.timers.contains_key(&Timer::Restart), "a back-off that never ends");
        }
        if view.ready {
            assert_eq!(view.phase, process_model::Phase::Running, "ready but not running");
        }
    }

    pub(crate) fn order(&self, verb: process_model::ActionVerb, restart_count: u64) -> crate::Verdict {
        crate::order::judge(&Order { action: "a".into(), verb, restart_count }, &self.machine)
    }

    pub(crate) fn spawned(&mut self) {
        let Some(run) = self.run_in(&Run::Requested) else { return };
        self.pid += 1;
        self.runs.insert(run, Run::Alive);
        self.step(Input::Spawned { run, pid: self.pid, started: Timestamp(1) });
    }

    pub(crate) fn spawn_fails(&mut self) {
        let Some(run) = self.run_in(&Run::Requested) else { return };
        self.runs.remove(&run);
        let error = crate::SpawnError { stage: "exec".into(), message: "/no: No such file or directory".into() };
        self.step(Input::SpawnFailed { run, error });
    }

    pub(crate) fn exits(&mut self, code: i32, tree_empty: bool) {
        let Some(run) = self.run_in(&Run::Alive) else { return };
        if tree_empty {
            self.runs.remove(&run);
        } else {
            self.runs.insert(run, Run::Orphaned);
        }
        self.step(Input::Exited { run, status: ExitStatus::Code(code), at: Timestamp(2), tree_empty });
    }

    pub(crate) fn tree_empties(&mut self) {
        let Some(run) = self.run_in(&Run::Orphaned) else { return };
        self.runs.remove(&run);
        self.step(Input::TreeEmptied { run });
    }

    pub(crate) fn timer_fires(&mut self, timer: Timer) {
        let Some(due) = self.timers.remove(&timer) else { return };
        self.now = self.now.max(due);
        self.step(Input::TimerFired(timer));
    }

    pub(crate) fn run_in(&self, state: &Run) -> Option<RunId> {
        self.runs.iter().find(|(_, run)| *run == state).map(|(id, _)| *id)
    }

    pub(crate) fn assign(&mut self, change: impl FnOnce(&mut Assignment)) {
        let mut assignment = self.machine.assignment().clone();
        change(&mut assignment);
        self.step(Input::Assigned(assignment));
    }
}
