//! Taking over from a runner that died: what the keeper knows is believed,
//! what nobody knows is never called a success, and what was going on goes on.

use crate::health::Health;
use crate::state::{AfterStop, Rest, StopStage};
use crate::waiting::lease::UNCONFIRMED;
use crate::{Context, Effect, Machine, RunId, State, moment::Moment};
use process_model::spec::HookKind;
use process_model::{ExitStatus, Timestamp, event_type};
use std::time::Duration;

/// What was going on when the runner before died.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Interrupted {
    /// A stop: what comes after it, and how far it had come.
    pub(crate) stop: Option<(AfterStop, StopStage)>,
    /// The `post_start` hook.
    pub(crate) settling: bool,
    /// It was ready: until a probe says otherwise, it is.
    pub(crate) ready: bool,
}

impl Machine {
    /// What a restored machine has to ask for once more, because its answer
    /// was lost with the runner that asked: a start, or the command after an
    /// end. Nothing of it goes on.
    pub fn redo(&mut self) -> Vec<Effect> {
        if let State::Cleaning { run, then } = &self.state {
            let (run, then) = (*run, then.clone());
            self.clean_up(run, then);
            return std::mem::take(&mut self.effects);
        }
        if matches!(&self.state, State::Starting { .. }) && self.lacks_lease() {
            // Nobody knows the run, so there is none; and it is not for this node to say whether there may be.
            self.interrupted = None;
            self.note_put_off();
            self.state = State::Waiting { why: UNCONFIRMED.to_owned() };
        }
        self.unanswered_start().into_iter().collect()
    }

    /// The run lives: go on with it, whatever the memo said.
    pub(crate) fn adopted(&mut self, run: RunId, pid: u32, started: Timestamp, age: Duration, ctx: &Context) {
        self.started = Some(started);
        self.note_started(run, started);
        let was = self.interrupted.take().map(|interrupted| *interrupted).unwrap_or_default();
        let settling = was.settling && self.has_hook(HookKind::PostStart);
        let health = Health::new(self.spec().readiness.is_none() || was.ready, settling);
        // Its age counts, towards stability and towards the longest time that it may run.
        self.state = State::Running { run, pid, since: Moment::ago(ctx, age), health };
        self.report(event_type::INSTANCE_ADOPTED, format!("taken over with pid {pid}"));
        match was.stop {
            Some((then, StopStage::AwaitingSpawn)) => self.begin_stop(run, Some(pid), then, ctx),
            Some((then, stage)) => self.begin_stop_at(run, Some(pid), then, stage, ctx),
            None if self.is_wanted() => {
                self.push(Effect::Observe { run });
                self.arm_for_run(ctx);
                if settling {
                    self.push(Effect::RunHook { run, hook: HookKind::PostStart });
                }
            }
            None => self.begin_stop(run, Some(pid), AfterStop::Rest(Rest::Stopped), ctx),
        }
    }

    /// The run began and has ended while nobody looked. Whoever was told of its
    /// start has it in the memo.
    pub(crate) fn unseen(&mut self, run: RunId, pid: u32, started: Timestamp) {
        if !self.is_current(run) || self.started == Some(started) {
            return;
        }
        self.started = Some(started);
        self.note_started(run, started);
        self.report(event_type::INSTANCE_STARTED, format!("started with pid {pid}"));
    }

    /// The run is gone and its ending with it.
    pub(crate) fn run_lost(&mut self, run: RunId, rebooted: bool, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        let stop = self.interrupted.take().and_then(|interrupted| interrupted.stop).map(|(then, _)| then);
        if let State::Starting { preparing: true, .. } = &self.state {
            // There never was a program: nothing has ended.
            if stop.is_none() {
                self.note_put_off();
            }
            return self.finish(run, stop.unwrap_or(AfterStop::Start), ctx);
        }
        let why = if rebooted { "the node was booted" } else { "its keeper was lost" };
        let status = ExitStatus::Unknown(why.to_owned());
        self.last_exit = Some(status.clone());
        self.note_exit(run, ctx.wall);
        let stopping = match &self.state {
            State::Stopping(stop) => Some(stop.then.clone()),
            State::Stuck { then, .. } => Some(then.clone()),
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Cleaning { .. }
            | State::Backoff { .. } => None,
        };
        self.end_watching();
        self.report(event_type::INSTANCE_EXITED, format!("ended with {status}"));
        let then = if let Some(then) = stop.or(stopping) {
            then
        } else if rebooted {
            // A boot is no fault of the program: start, without delay or count.
            self.note_again();
            AfterStop::Start
        } else {
            self.after_exit(&status, format!("ended with {status}"), ctx)
        };
        self.finish(run, then, ctx);
    }
}
