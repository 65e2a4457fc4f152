//! The machine: what is wanted, what was decided, what was seen.

use crate::adopting::Interrupted;
use crate::rare::Rare;
use crate::{Context, Effect, Input, Memo, RunId, State, Timer, state::Rest};
use process_model::{Assignment, ExitStatus, InstanceId, ProcessSpec, Timestamp};
use std::sync::Arc;
use std::time::Duration;

/// One instance. [`Machine::step`] is its only way to change.
#[derive(Debug, Clone, PartialEq)]
pub struct Machine {
    /// What is wanted: the last assignment.
    pub(crate) assignment: Arc<Assignment>,
    /// Wanted: the instance has to go.
    pub(crate) removing: bool,
    /// Wanted: the runner shuts down.
    pub(crate) held: bool,
    /// Decided: where it is.
    pub(crate) state: State,
    /// Decided: `restart_count` of the newest request that was carried out.
    pub(crate) restarts_asked: u64,
    /// Decided: restarts since it was last started on request.
    pub(crate) restarts: u32,
    /// Decided: restarts since it last ran for long enough.
    pub(crate) streak: u32,
    /// Wanted: stop timeout of the stop that is going on, when it has its own.
    pub(crate) stop_timeout: Option<Duration>,
    /// Seen: how the last run ended.
    pub(crate) last_exit: Option<ExitStatus>,
    /// Seen: when the current or last run began.
    pub(crate) started: Option<Timestamp>,
    /// What few instances have.
    pub(crate) rare: Option<Box<Rare>>,
    /// Decided by the runner before this one: what was going on when it died.
    pub(crate) interrupted: Option<Box<Interrupted>>,
    /// What this step asks for so far.
    pub(crate) effects: Vec<Effect>,
}

impl Machine {
    /// A machine of an instance that this node has not had before. Step it
    /// with the assignment to set it going.
    #[must_use]
    pub fn new(assignment: impl Into<Arc<Assignment>>) -> Self {
        let assignment = assignment.into();
        let mut machine = Self {
            restarts_asked: assignment.restart_count,
            assignment,
            removing: false,
            held: false,
            state: State::AtRest(Rest::Fresh),
            restarts: 0,
            streak: 0,
            stop_timeout: None,
            last_exit: None,
            started: None,
            rare: None,
            interrupted: None,
            effects: Vec::new(),
        };
        if !machine.spec().depends_on.is_empty() {
            machine.wait_until_told();
        }
        machine
    }

    /// A machine as it was when its memo was written. The caller then steps it
    /// with what the keeper knows of its run, or carries out what
    /// [`Machine::redo`] says.
    #[must_use]
    pub fn restore(assignment: impl Into<Arc<Assignment>>, memo: &Memo) -> Self {
        let mut machine = Self::new(assignment);
        memo.apply_to(&mut machine);
        machine
    }

    /// Takes an input in and returns what is to be done, in order.
    pub fn step(&mut self, input: Input, ctx: &Context) -> Vec<Effect> {
        match input {
            Input::Assigned(assignment) => self.assigned(assignment, ctx),
            Input::Unassigned => self.unassigned(ctx),
            Input::Held => self.hold(ctx),
            Input::StopTimeoutGiven(timeout) => self.stop_timeout_given(timeout, ctx),
            Input::Spawned { run, pid, started } => self.spawned(run, pid, started, ctx),
            Input::SpawnFailed { run, error } => self.spawn_failed(run, &error, ctx),
            Input::Exited { run, status, at, tree_empty, out_of_memory } => {
                self.exited(run, status, at, tree_empty, out_of_memory, ctx);
            }
            Input::TreeEmptied { run } => self.tree_emptied(run, ctx),
            Input::Adopted { run, pid, started, age } => self.adopted(run, pid, started, age, ctx),
            Input::Unseen { run, pid, started } => self.unseen(run, pid, started),
            Input::RunLost { run, rebooted } => self.run_lost(run, rebooted, ctx),
            Input::TimerFired(Timer::Restart) => self.restart_due(ctx),
            Input::TimerFired(Timer::Stop) => self.stop_step_over(ctx),
            Input::TimerFired(Timer::Watchdog) => self.watchdog_ran_out(ctx),
            Input::TimerFired(Timer::MaxRuntime) => self.ran_for_too_long(ctx),
            Input::TimerFired(Timer::Reload) => self.reload_ran_out(),
            Input::ProbeSucceeded { run } => self.probe_succeeded(run),
            Input::ProbeFailed { run, why } => self.probe_failed(run, &why),
            Input::LivenessSucceeded { run } => self.liveness_succeeded(run),
            Input::LivenessFailed { run, why } => self.liveness_failed(run, &why, ctx),
            Input::WentSilent { run, silence } => self.went_silent(run, silence, ctx),
            Input::MemoryExceeded { run, bytes } => self.memory_exceeded(run, bytes, ctx),
            Input::Notified { run, words } => self.notified(run, words, ctx),
            Input::HookEnded { run, hook, outcome } => self.hook_ended(run, hook, outcome, ctx),
            Input::StopHookEnded { run, step, outcome } => self.stop_hook_ended(run, step, outcome, ctx),
            Input::LimitReached { run, message } => self.limit_reached(run, message),
            Input::LogMatched { run, rule, action, line, suppressed } => {
                self.log_matched(run, &rule, action, &line, suppressed, ctx);
            }
            Input::LogTrouble { run, message, dropped } => self.log_trouble(run, &message, dropped),
            Input::Dependencies { waiting_for } => self.dependencies(waiting_for, ctx),
            Input::Lease { valid } => self.lease_told(valid, ctx),
            Input::Fenced { run } => self.fenced(run, ctx),
            Input::ReloadAsked => self.reload_asked(),
            Input::SignalAsked(signal) => self.signal_asked(signal),
            Input::Due { come, next } => self.due(come, next, ctx),
            Input::NextDue(due) => self.next_due(due),
        }
        std::mem::take(&mut self.effects)
    }

    /// The instance.
    #[must_use]
    pub fn instance(&self) -> &InstanceId {
        &self.assignment.instance
    }

    /// The assignment that it follows.
    #[must_use]
    pub fn assignment(&self) -> &Arc<Assignment> {
        &self.assignment
    }

    /// The spec that it follows.
    #[must_use]
    pub fn spec(&self) -> &ProcessSpec {
        &self.assignment.spec
    }

    /// Where it is.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How the last run ended.
    #[must_use]
    pub fn last_exit(&self) -> Option<&ExitStatus> {
        self.last_exit.as_ref()
    }

    /// Whether it should run, all in all; with a schedule: when its time comes.
    #[must_use]
    pub fn is_wanted(&self) -> bool {
        self.assignment.wanted && !self.removing && !self.held
    }

    pub(crate) fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    pub(crate) fn report(&mut self, event: &'static str, message: impl Into<String>) {
        self.effects.push(Effect::Report { event, message: message.into() });
    }

    /// Whether `run` is the run that the machine is about now.
    pub(crate) fn is_current(&self, run: RunId) -> bool {
        self.state.run() == Some(run)
    }
}
