//! A world for the machine: it carries out effects and checks what must hold
//! in every life.

use crate::schedule::{Come, Timing};
use crate::{Context, Effect, Input, Machine, Memo, Notification, Order, RunId, State, Timer};
use process_model::spec::{Backoff, Command, Condition, Dependency, Hook, HookKind, Hooks, RestartMode, Signal};
use process_model::{Assignment, ExitStatus, InstanceId, Phase, ProcessSpec, RunReport, Timestamp, event_type};
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

/// A command of ours.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Commanded {
    Hook(HookKind),
    Step(usize),
}

#[derive(Debug)]
pub(crate) struct World {
    pub(crate) machine: Machine,
    pub(crate) runs: BTreeMap<RunId, Run>,
    /// The command that goes on: one at a time.
    pub(crate) command: Option<(RunId, Commanded)>,
    /// Every command that was ever begun.
    pub(crate) commands: Vec<Commanded>,
    pub(crate) timers: BTreeMap<Timer, Duration>,
    pub(crate) signals: Vec<(RunId, Signal)>,
    pub(crate) main_signals: Vec<Signal>,
    pub(crate) reports: Vec<(&'static str, String)>,
    /// Runs, as they were told.
    pub(crate) told_runs: Vec<RunReport>,
    /// Times that came while the schedule was followed.
    pub(crate) taken: Vec<Timestamp>,
    pub(crate) spawns: u32,
    pub(crate) observed: Option<RunId>,
    pub(crate) releases: u32,
    pub(crate) log_changes: u32,
    pub(crate) gone: bool,
    pub(crate) now: Duration,
    /// What was told last of what it depends on.
    pub(crate) waiting_for: Option<String>,
    /// What was told last of its lease.
    pub(crate) lease: Option<bool>,
    /// The run that a `pre_start` was begun for.
    prepared: Option<RunId>,
    next_run: u64,
    pid: u32,
}

pub(crate) const S: Duration = Duration::from_secs(1);

pub(crate) fn spec(mode: RestartMode) -> ProcessSpec {
    let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Shell("true".into()));
    spec.restart.mode = mode;
    spec.restart.backoff = Backoff { jitter: 0.0, ..Backoff::default() };
    spec
}

pub(crate) fn assignment(spec: ProcessSpec, wanted: bool) -> Assignment {
    let instance = InstanceId::new(spec.name.clone(), 1);
    Assignment {
        instance,
        generation: 1,
        spec: Arc::new(spec),
        wanted,
        restart_count: 0,
        traceparent: String::new(),
        fencing_token: 0,
        plan: None,
    }
}

pub(crate) fn hook(seconds: u32) -> Hook {
    Hook { command: Command::Shell("true".into()), timeout: S * seconds }
}

/// Hooks of these kinds, of ten seconds each.
pub(crate) fn hooks(kinds: &[HookKind]) -> Option<Box<Hooks>> {
    let of = |kind| kinds.contains(&kind).then(|| hook(10));
    Some(Box::new(Hooks {
        pre_start: of(HookKind::PreStart),
        post_start: of(HookKind::PostStart),
        reload: of(HookKind::Reload),
        pre_stop: of(HookKind::PreStop),
        post_stop: of(HookKind::PostStop),
    }))
}

pub(crate) fn depends() -> Vec<Dependency> {
    vec![Dependency { process: "db".parse().unwrap(), condition: Condition::Ready }]
}

/// A world in which `spec` runs.
pub(crate) fn running(spec: ProcessSpec) -> World {
    let mut world = World::new(assignment(spec, true));
    world.spawned();
    assert_eq!(world.phase(), Phase::Running);
    world
}

impl World {
    pub(crate) fn new(assignment: Assignment) -> Self {
        let waiting_for = (!assignment.spec.depends_on.is_empty()).then(String::new);
        let mut world = Self {
            machine: Machine::new(assignment.clone()),
            runs: BTreeMap::new(),
            command: None,
            commands: Vec::new(),
            timers: BTreeMap::new(),
            signals: Vec::new(),
            main_signals: Vec::new(),
            reports: Vec::new(),
            told_runs: Vec::new(),
            taken: Vec::new(),
            spawns: 0,
            observed: None,
            releases: 0,
            log_changes: 0,
            gone: false,
            now: S * 1000,
            waiting_for,
            lease: None,
            prepared: None,
            next_run: 1,
            pid: 100,
        };
        world.step(Input::Assigned(assignment.into()));
        world
    }

    pub(crate) fn step(&mut self, input: Input) {
        self.next_run += 1;
        let wall = Timestamp(0).plus(self.now);
        let ctx = Context { now: self.now, wall, roll: 0.5, next_run: RunId(self.next_run) };
        if let Input::Dependencies { waiting_for } = &input {
            self.waiting_for.clone_from(waiting_for);
        }
        if let Input::Lease { valid } = &input {
            self.lease = Some(*valid);
        }
        if matches!(input, Input::Fenced { run } if self.runs.contains_key(&run)) {
            self.lease = Some(false);
        }
        if let Input::Assigned(assignment) = &input
            && assignment.spec.depends_on.is_empty()
        {
            self.waiting_for = None;
        }
        // What rests is set going by what is wanted, by its time, and by nothing else.
        let rested = matches!(self.machine.state(), State::AtRest(_));
        let may_start = matches!(input, Input::Assigned(_) | Input::Due { .. });
        let spawns = self.spawns + u32::from(self.command.is_some());
        let effects = self.machine.step(input, &ctx);
        self.carry_out_all(effects);
        let began = self.spawns + u32::from(self.command.is_some()) > spawns;
        assert!(!rested || may_start || !began, "started from rest by nothing that may");
        self.check();
    }

    /// A time of its schedule comes: the second of the world's clock.
    pub(crate) fn due(&mut self) {
        self.comes(Timing::OnTime);
    }

    pub(crate) fn comes(&mut self, how: Timing) {
        // Each time is another one, though the clock of this world may stand.
        let due = Timestamp(0).plus(self.now + Duration::from_nanos(self.taken.len() as u64));
        if self.machine.is_wanted() && self.spec().schedule.is_some() {
            self.taken.push(due);
        }
        self.step(Input::Due { come: Come { due, how }, next: Some(due.plus(S * 3600)) });
    }

    /// The runs of a time, each once, the last word of each.
    pub(crate) fn runs_of(&self, due: Timestamp) -> Vec<&RunReport> {
        let of_it = || self.told_runs.iter().filter(|run| run.due == Some(due) && run.trigger.is_planned());
        let last = |run: &&RunReport| of_it().rfind(|other| other.run == run.run) == Some(*run);
        of_it().filter(|run| run.run == 0 || last(run)).collect()
    }

    pub(crate) fn carry_out_all(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            self.carry_out(effect);
        }
    }

    fn carry_out(&mut self, effect: Effect) {
        match effect {
            Effect::Spawn { run } => {
                assert!(self.runs.is_empty(), "a second start while {:?}", self.runs);
                assert_eq!(self.command, None, "started beside a command");
                assert!(self.machine.is_wanted(), "started though nobody wants it");
                if self.prepared != Some(run) {
                    self.check_that_it_may_start();
                }
                self.spawns += 1;
                self.runs.insert(run, Run::Requested);
            }
            Effect::SignalTree { run, signal } => {
                assert!(self.runs.contains_key(&run), "a signal to a run that is not there");
                self.signals.push((run, signal));
            }
            Effect::SignalMain { run, signal } => {
                assert_eq!(self.runs.get(&run), Some(&Run::Alive), "a signal to a main process that is not there");
                self.main_signals.push(signal);
            }
            Effect::RunHook { run, hook } => {
                match hook {
                    HookKind::PreStart | HookKind::PostStop => {
                        assert!(self.runs.is_empty(), "{hook:?} beside {:?}", self.runs);
                        // Said again by a new runner, it is still the same start.
                        if hook == HookKind::PreStart && self.prepared.replace(run) != Some(run) {
                            self.check_that_it_may_start();
                        }
                    }
                    HookKind::PostStart | HookKind::Reload | HookKind::PreStop => {
                        assert_eq!(self.runs.get(&run), Some(&Run::Alive), "{hook:?} without a program");
                    }
                }
                self.begin_command(run, Commanded::Hook(hook));
            }
            Effect::RunStopHook { run, step } => {
                assert_eq!(self.runs.get(&run), Some(&Run::Alive), "step {step} without a program");
                self.begin_command(run, Commanded::Step(step));
            }
            Effect::CancelHooks => assert!(self.command.take().is_some(), "cancelled nothing"),
            Effect::ReleaseSockets => self.releases += 1,
            Effect::SetLogs { run } => {
                assert!(self.runs.contains_key(&run), "logs of a run that is not there");
                self.log_changes += 1;
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
            Effect::Observe { run } => {
                assert_eq!(self.runs.get(&run), Some(&Run::Alive), "observes what is not there");
                self.observed = Some(run);
            }
            Effect::Unobserve => self.observed = None,
            Effect::Report { event, message } => {
                assert!(!message.is_empty(), "{event} says nothing");
                self.reports.push((event, message));
            }
            Effect::Ran(run) => self.told_runs.push(*run),
            Effect::Gone => {
                assert!(self.runs.is_empty() && self.command.is_none(), "gone with something left");
                self.gone = true;
            }
        }
    }

    fn check_that_it_may_start(&self) {
        assert!(self.spec().depends_on.is_empty() || self.waiting_for.is_none(), "started though it has to wait");
        assert!(self.spec().singleton.is_none() || self.lease == Some(true), "started without a lease");
    }

    fn begin_command(&mut self, run: RunId, command: Commanded) {
        assert_eq!(self.command, None, "{command:?} beside another command");
        self.command = Some((run, command));
        self.commands.push(command);
    }

    /// What holds after every step.
    fn check(&self) {
        let view = self.machine.view();
        let has = |timer| self.timers.contains_key(&timer);
        let command = self.command.map(|(_, command)| command);
        match self.machine.state() {
            State::AtRest(_) | State::Waiting { .. } => {
                assert!(self.runs.is_empty(), "at rest while {:?}", self.runs);
                assert_eq!(command, None, "at rest with a command");
                assert!(self.timers.is_empty(), "at rest with {:?}", self.timers);
            }
            State::Starting { preparing, .. } => {
                assert_eq!(*preparing, self.runs.is_empty(), "the program is asked for once it is prepared");
                assert_eq!(*preparing, command.is_some(), "prepared by nothing");
            }
            State::Running { run, health, .. } => {
                assert_eq!(self.runs.get(run), Some(&Run::Alive));
                assert_eq!(self.observed, Some(*run), "runs unobserved");
                assert_eq!(health.settling, command == Some(Commanded::Hook(HookKind::PostStart)));
                assert_eq!(has(Timer::MaxRuntime), self.spec().restart.max_runtime.is_some());
                if self.spec().notify_watchdog.is_some() {
                    assert_ne!(has(Timer::Watchdog), health.leaving.is_some(), "a watchdog that never barks");
                }
                assert_eq!(has(Timer::Stop), health.leaving.is_some(), "it may say that it ends, and stay");
            }
            State::Stopping(_) => assert!(has(Timer::Stop), "a stop without a bound"),
            State::Cleaning { .. } => {
                assert!(has(Timer::Stop), "a clean-up without a bound");
                assert_eq!(command, Some(Commanded::Hook(HookKind::PostStop)));
                assert!(self.runs.is_empty());
            }
            State::Backoff { .. } => {
                assert!(has(Timer::Restart), "a back-off that never ends");
                assert!(self.runs.is_empty());
            }
            State::Stuck { .. } => assert!(!self.runs.is_empty(), "stuck with nobody"),
        }
        if view.phase != Phase::Running {
            assert!(!view.ready, "ready but not running");
            assert_eq!(self.observed, None, "observed but not running");
            let of_a_run = [Timer::Watchdog, Timer::MaxRuntime, Timer::Reload];
            assert!(!of_a_run.into_iter().any(has), "{:?} of a run that is over", self.timers);
        }
        if view.ready {
            assert_ne!(command, Some(Commanded::Hook(HookKind::PostStart)), "ready before it was set up");
        }
    }

    pub(crate) fn spec(&self) -> &ProcessSpec {
        self.machine.spec()
    }

    pub(crate) fn phase(&self) -> Phase {
        self.machine.view().phase
    }

    pub(crate) fn order(&self, verb: process_model::ActionVerb, restart_count: u64) -> crate::Verdict {
        crate::order::judge(&Order { action: "a".into(), verb, restart_count, signal: None }, &self.machine)
    }

    pub(crate) fn spawned(&mut self) {
        let Some(run) = self.run_in(&Run::Requested) else { return };
        self.pid += 1;
        self.runs.insert(run, Run::Alive);
        self.step(Input::Spawned { run, pid: self.pid, started: Timestamp(0).plus(self.now) });
    }

    pub(crate) fn spawn_fails(&mut self) {
        let Some(run) = self.run_in(&Run::Requested) else { return };
        self.runs.remove(&run);
        let error = crate::SpawnError { stage: "exec".into(), message: "/no: No such file or directory".into() };
        self.step(Input::SpawnFailed { run, error });
    }

    pub(crate) fn exits(&mut self, code: i32, tree_empty: bool) {
        self.ends(ExitStatus::Code(code), tree_empty, false);
    }

    pub(crate) fn ends(&mut self, status: ExitStatus, tree_empty: bool, out_of_memory: bool) {
        let Some(run) = self.run_in(&Run::Alive) else { return };
        if tree_empty {
            self.runs.remove(&run);
        } else {
            self.runs.insert(run, Run::Orphaned);
        }
        let at = Timestamp(0).plus(self.now);
        self.step(Input::Exited { run, status, at, tree_empty, out_of_memory });
    }

    pub(crate) fn tree_empties(&mut self) {
        let Some(run) = self.run_in(&Run::Orphaned) else { return };
        self.runs.remove(&run);
        self.step(Input::TreeEmptied { run });
    }

    /// The command that goes on ends.
    pub(crate) fn command_ends(&mut self, outcome: Result<(), &str>) {
        let Some((run, command)) = self.command.take() else { return };
        let outcome = outcome.map_err(str::to_owned);
        self.step(match command {
            Commanded::Hook(hook) => Input::HookEnded { run, hook, outcome },
            Commanded::Step(step) => Input::StopHookEnded { run, step, outcome },
        });
    }

    pub(crate) fn says(&mut self, word: Notification) {
        let run = self.current();
        self.step(Input::Notified { run, words: vec![word] });
    }

    pub(crate) fn timer_fires(&mut self, timer: Timer) {
        let Some(due) = self.timers.remove(&timer) else { return };
        self.now = self.now.max(due);
        self.step(Input::TimerFired(timer));
    }

    /// Time passes until the next timer; false when there is none.
    pub(crate) fn next_timer_fires(&mut self) -> bool {
        let next = self.timers.iter().min_by_key(|(_, due)| **due).map(|(timer, _)| *timer);
        next.inspect(|timer| self.timer_fires(*timer)).is_some()
    }

    /// Time until a timer runs out.
    pub(crate) fn left(&self, timer: Timer) -> Duration {
        self.timers[&timer] - self.now
    }

    pub(crate) fn run_in(&self, state: &Run) -> Option<RunId> {
        self.runs.iter().find(|(_, run)| *run == state).map(|(id, _)| *id)
    }

    /// The run that there is.
    pub(crate) fn current(&self) -> RunId {
        self.runs.keys().next().copied().unwrap_or(RunId(0))
    }

    pub(crate) fn assign(&mut self, change: impl FnOnce(&mut Assignment)) {
        let mut assignment = Assignment::clone(self.machine.assignment());
        change(&mut assignment);
        self.step(Input::Assigned(assignment.into()));
    }

    pub(crate) fn edit(&mut self, change: impl FnOnce(&mut ProcessSpec)) {
        self.assign(|assignment| change(Arc::make_mut(&mut assignment.spec)));
    }

    /// Message of the newest report of an event.
    pub(crate) fn told(&self, event: &str) -> Option<&str> {
        self.reports.iter().rev().find(|(told, _)| *told == event).map(|(_, message)| message.as_str())
    }

    pub(crate) fn has_failed(&self) -> bool {
        matches!(self.machine.state(), State::AtRest(crate::Rest::Failed(_)))
    }

    /// A new runner takes over from the memo and from what the keeper knows,
    /// as its driver does.
    pub(crate) fn runner_dies(&mut self) {
        self.spawned();
        let memo = Memo::from(&self.machine);
        self.machine = Machine::restore(self.machine.assignment().clone(), &memo);
        self.command = None;
        self.observed = None;
        self.waiting_for = (!self.spec().depends_on.is_empty()).then(String::new);
        self.lease = None;
        let due = self.timers.remove(&Timer::Restart);
        self.timers.clear();
        let at = Timestamp(0).plus(self.now);
        match (memo.run, self.runs.iter().next().map(|(run, state)| (*run, state.clone()))) {
            (_, Some((run, Run::Alive | Run::Requested))) => {
                let age = Duration::from_nanos(memo.started.map_or(0, |started| (at.0 - started.0).unsigned_abs()));
                let started = memo.started.unwrap_or(at);
                self.step(Input::Adopted { run, pid: 5, started, age });
            }
            (_, Some((run, Run::Orphaned))) => {
                let status = ExitStatus::Code(0);
                self.step(Input::Exited { run, status, at, tree_empty: false, out_of_memory: false });
            }
            (Some(run), None) if !self.machine.is_wanted() => self.step(Input::RunLost { run, rebooted: false }),
            (_, None) => {
                if memo.backoff.is_some() {
                    self.timers.insert(Timer::Restart, due.unwrap_or(self.now));
                }
                let effects = self.machine.redo();
                self.carry_out_all(effects);
            }
        }
        if memo.removing {
            self.step(Input::Unassigned);
        } else {
            self.assign(|_| {});
        }
    }

    pub(crate) fn reported(&self, event: &str) -> bool {
        self.told(event).is_some()
    }

    /// Says whatever is asked of it, until nothing is left.
    pub(crate) fn let_everything_end(&mut self) {
        for _ in 0..40 {
            self.command_ends(Ok(()));
            self.spawned();
            self.exits(0, true);
            self.tree_empties();
        }
    }

    pub(crate) fn was_stopped(&self) -> bool {
        self.reported(event_type::INSTANCE_STOPPED)
    }
}
