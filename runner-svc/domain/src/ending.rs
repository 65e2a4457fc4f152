//! Endings: what follows when a run is over.

use crate::{Context, Effect, Machine, RunId, State, Timer, backoff, state::AfterStop, state::Rest, state::StopStage};
use process_model::spec::RestartMode;
use process_model::{ExitStatus, Timestamp, event_type};
use std::time::Duration;

impl Machine {
    pub(crate) fn exited(&mut self, run: RunId, status: ExitStatus, at: Timestamp, tree_empty: bool, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        match self.state.clone() {
            State::Running { since, .. } => {
                self.last_exit = Some(status.clone());
                self.forgive_if_stable(since, ctx);
                self.push(Effect::Unobserve);
                let why = format!("ended with {status}");
                self.report(event_type::INSTANCE_EXITED, why.clone());
                let then = self.after_end(status.is_success(), why, &Context { wall: at, ..*ctx });
                if tree_empty {
                    self.finish(run, then, ctx);
                } else {
                    // Its children are still there: end them first, or two generations would overlap.
                    self.begin_stop(run, None, then);
                }
            }
            State::Stopping { stage, then, .. } => {
                self.last_exit = Some(status);
                if tree_empty {
                    self.finish(run, then, ctx);
                } else {
                    self.state = State::Stopping { run, pid: None, stage, then };
                }
            }
            State::Stuck { then, .. } => {
                self.last_exit = Some(status);
                if tree_empty {
                    self.finish(run, then, ctx);
                }
            }
            // A runner that takes over learns at once that the run has ended meanwhile.
            State::Starting { .. } => {
                self.last_exit = Some(status.clone());
                let lasted = self.started.map(|started| at.0.saturating_sub(started.0));
                let stable = i64::try_from(self.spec().restart.reset_after.as_nanos()).unwrap_or(i64::MAX);
                if lasted.is_some_and(|nanos| nanos >= stable) {
                    self.streak = 0;
                }
                let why = format!("ended with {status}");
                self.report(event_type::INSTANCE_EXITED, why.clone());
                let then = match self.unfinished.take() {
                    Some(then) => then,
                    None => self.after_end(status.is_success(), why, ctx),
                };
                if tree_empty { self.finish(run, then, ctx) } else { self.begin_stop(run, None, then) }
            }
            State::AtRest(_) | State::Backoff { .. } => {}
        }
    }

    pub(crate) fn tree_emptied(&mut self, run: RunId, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        match self.state.clone() {
            State::Stopping { pid: None, then, stage: StopStage::Signalled | StopStage::Killed, .. }
            | State::Stuck { then, .. } => self.finish(run, then, ctx),
            // The main process is the last to be reported.
            State::Stopping { .. } | State::Running { .. } | State::Starting { .. } => {}
            State::AtRest(_) | State::Backoff { .. } => {}
        }
    }

    /// A run that lasted long enough ends the series of restarts in a row.
    pub(crate) fn forgive_if_stable(&mut self, since: Duration, ctx: &Context) {
        if ctx.now.saturating_sub(since) >= self.spec().restart.reset_after {
            self.streak = 0;
        }
    }

    /// What the restart policy says about an ending.
    pub(crate) fn after_end(&self, success: bool, why: String, ctx: &Context) -> AfterStop {
        let policy = &self.spec().restart;
        let restart = match policy.mode {
            RestartMode::Always => true,
            RestartMode::OnFailure => !success,
            RestartMode::Never => false,
        };
        if !restart {
            return AfterStop::Rest(if success { Rest::Exited } else { Rest::Failed(why) });
        }
        if policy.max_restarts > 0 && self.streak >= policy.max_restarts {
            return AfterStop::Rest(Rest::Failed(format!("{why}; gave up after {} restarts in a row", self.streak)));
        }
        let delay = backoff::delay(&policy.backoff, self.streak, ctx.roll);
        AfterStop::Delay { delay, why }
    }

    /// The run is over and nobody of its tree is left.
    pub(crate) fn finish(&mut self, run: RunId, then: AfterStop, ctx: &Context) {
        self.stop_timeout = None;
        self.push(Effect::Disarm { timer: Timer::Stop });
        self.push(Effect::ForgetRun { run });
        self.proceed(then, ctx);
    }

    /// Goes on after an ending: as decided, unless what is wanted has changed
    /// meanwhile.
    pub(crate) fn proceed(&mut self, then: AfterStop, ctx: &Context) {
        if !self.is_wanted() {
            let rest = if self.held && self.assignment.wanted && !self.removing { Rest::Held } else { Rest::Stopped };
            return self.come_to_rest(rest);
        }
        match then {
            AfterStop::Rest(Rest::Stopped | Rest::Held) | AfterStop::Start => {
                // Wanted again since the stop began, or a restart that was asked for.
                self.start_on_request(ctx);
            }
            AfterStop::Rest(rest) => self.come_to_rest(rest),
            AfterStop::Restart => self.start_as_restart(ctx),
            AfterStop::Delay { delay, .. } if delay.is_zero() => self.start_as_restart(ctx),
            AfterStop::Delay { delay, why } => {
                self.state = State::Backoff { due: ctx.wall.plus(delay), why: why.clone() };
                self.push(Effect::Arm { timer: Timer::Restart, after: delay });
                let seconds = delay.as_secs_f64();
                self.report(event_type::INSTANCE_BACKOFF, format!("{why}; next start in {seconds:.1} s"));
            }
        }
    }

    pub(crate) fn come_to_rest(&mut self, rest: Rest) {
        let (event, message) = match &rest {
            Rest::Fresh | Rest::Stopped => (event_type::INSTANCE_STOPPED, "stopped".to_owned()),
            Rest::Held => (event_type::INSTANCE_STOPPED, "stopped with its runner".to_owned()),
            Rest::Exited => (event_type::INSTANCE_STOPPED, "ended with success; not to be restarted".to_owned()),
            Rest::Failed(why) => (event_type::INSTANCE_FAILED, why.clone()),
        };
        self.state = State::AtRest(rest);
        self.report(event, message);
        if self.removing {
            self.push(Effect::Gone);
        }
    }
}
