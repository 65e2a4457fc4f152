//! Endings: the main process, its tree, and what follows when the run is over.

use crate::words;
use crate::{Context, Effect, Machine, RunId, State, Timer, state::AfterStop, state::Rest, state::StopStage};
use process_model::spec::{HookKind, LimitMode};
use process_model::{ExitStatus, Timestamp, event_type};
use std::time::Duration;

impl Machine {
    pub(crate) fn exited(
        &mut self,
        run: RunId,
        status: ExitStatus,
        at: Timestamp,
        tree_empty: bool,
        out_of_memory: bool,
        ctx: &Context,
    ) {
        if !self.is_current(run) {
            return;
        }
        self.last_exit = Some(status.clone());
        self.note_exit(run, at);
        match &mut self.state {
            State::Running { since, .. } => {
                let lasted = since.elapsed(ctx);
                self.ended_by_itself(run, &status, lasted, tree_empty, out_of_memory, ctx);
            }
            // A runner that takes over learns at once that the run has ended meanwhile.
            State::Starting { .. } => {
                let lasted = self.started.map_or(0, |started| at.0.saturating_sub(started.0));
                let lasted = Duration::from_nanos(u64::try_from(lasted).unwrap_or(0));
                self.ended_by_itself(run, &status, lasted, tree_empty, out_of_memory, ctx);
            }
            State::Stopping(stop) => {
                stop.pid = None;
                let then = stop.then.clone();
                if tree_empty {
                    self.finish(run, then, ctx);
                }
            }
            State::Stuck { then, .. } => {
                let then = then.clone();
                if tree_empty {
                    self.finish(run, then, ctx);
                }
            }
            // No run: `is_current` was false.
            State::AtRest(_) | State::Waiting { .. } | State::Cleaning { .. } | State::Backoff { .. } => {}
        }
    }

    fn ended_by_itself(
        &mut self,
        run: RunId,
        status: &ExitStatus,
        lasted: Duration,
        tree_empty: bool,
        out_of_memory: bool,
        ctx: &Context,
    ) {
        self.forgive_if_stable(lasted);
        self.end_watching();
        let why = self.ending_in_words(status, out_of_memory);
        self.report(event_type::INSTANCE_EXITED, why.clone());
        let (then, stage) = match self.interrupted.take().and_then(|interrupted| interrupted.stop) {
            // It was being stopped when the runner died, and has ended meanwhile.
            Some((then, stage)) => (then, Some(stage)),
            None => (self.after_exit(status, why, ctx), None),
        };
        if tree_empty {
            self.finish(run, then, ctx);
        } else {
            // Its children are still there: end them first, or two generations would overlap.
            self.begin_stop_at(run, None, then, stage.unwrap_or(StopStage::Step(0)), ctx);
        }
    }

    fn ending_in_words(&self, status: &ExitStatus, out_of_memory: bool) -> String {
        if !out_of_memory {
            return format!("ended with {status}");
        }
        let limits = self.spec().limits.as_ref().filter(|limits| limits.mode == LimitMode::Enforce);
        match limits.and_then(|limits| limits.memory) {
            Some(limit) => format!("killed by the kernel: out of memory (its limit is {})", words::bytes(limit)),
            None => "killed by the kernel: out of memory (no limit of its own is in force)".to_owned(),
        }
    }

    pub(crate) fn tree_emptied(&mut self, run: RunId, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        match &self.state {
            State::Stopping(stop) if stop.pid.is_none() && stop.stage != StopStage::AwaitingSpawn => {
                let then = stop.then.clone();
                self.finish(run, then, ctx);
            }
            State::Stuck { then, .. } => {
                let then = then.clone();
                self.finish(run, then, ctx);
            }
            // The main process is the last to be reported.
            State::Stopping(_) | State::Running { .. } | State::Starting { .. } => {}
            State::AtRest(_) | State::Waiting { .. } | State::Cleaning { .. } | State::Backoff { .. } => {}
        }
    }

    /// The run is over and nobody of its tree is left: what is to be done after
    /// it is done, and then it goes on.
    pub(crate) fn finish(&mut self, run: RunId, then: AfterStop, ctx: &Context) {
        if matches!(&self.state, State::Stopping(stop) if stop.commanding) {
            self.push(Effect::CancelHooks);
        }
        self.push(Effect::Disarm { timer: Timer::Stop });
        self.push(Effect::ForgetRun { run });
        self.note_over(run, &then, ctx);
        if self.has_hook(HookKind::PostStop) {
            self.clean_up(run, then);
        } else {
            self.proceed(then, ctx);
        }
    }

    /// Goes on after an ending: as decided, unless what is wanted has changed
    /// meanwhile.
    pub(crate) fn proceed(&mut self, then: AfterStop, ctx: &Context) {
        self.stop_timeout = None;
        if !self.is_wanted() {
            let rest = if self.held && self.assignment.wanted && !self.removing { Rest::Held } else { Rest::Stopped };
            return self.come_to_rest(rest);
        }
        match then {
            AfterStop::Rest(Rest::Stopped | Rest::Held) | AfterStop::Start => {
                // Wanted again since the stop began, or a restart that was asked for.
                self.start_on_request(ctx);
            }
            // A time came while it ran.
            AfterStop::Rest(Rest::Fresh | Rest::Scheduled | Rest::Exited | Rest::Failed(_)) if self.take_queued() => {
                self.start_on_request(ctx);
            }
            AfterStop::Rest(rest @ (Rest::Fresh | Rest::Scheduled | Rest::Exited | Rest::Failed(_))) => {
                self.come_to_rest(rest);
            }
            AfterStop::Restart => self.start_as_restart(ctx),
            AfterStop::Delay { delay, .. } if delay.is_zero() => self.start_as_restart(ctx),
            AfterStop::Delay { delay, ended } => {
                let message = format!("{}; next start in {:.1} s", ended.why, delay.as_secs_f64());
                self.state = State::Backoff { due: ctx.wall.plus(delay), ended };
                self.push(Effect::Arm { timer: Timer::Restart, after: delay });
                self.report(event_type::INSTANCE_BACKOFF, message);
            }
        }
    }

    pub(crate) fn come_to_rest(&mut self, rest: Rest) {
        let (event, message) = match &rest {
            Rest::Fresh | Rest::Stopped => (event_type::INSTANCE_STOPPED, "stopped"),
            Rest::Held => (event_type::INSTANCE_STOPPED, ""),
            Rest::Exited if self.spec().schedule.is_some() => (event_type::INSTANCE_STOPPED, "ended with success"),
            Rest::Exited => (event_type::INSTANCE_STOPPED, "ended with success; not to be restarted"),
            Rest::Scheduled => (event_type::INSTANCE_WAITING, "follows its schedule"),
            Rest::Failed(_) => (event_type::INSTANCE_FAILED, ""),
        };
        let more = self.at_rest_in_words(&rest);
        let gap = if message.is_empty() || more.is_empty() { "" } else { "; " };
        // What a runner that shuts down holds for its programs ends with its keeper, or is there for the next one.
        let releases = rest != Rest::Held && !self.spec().sockets.is_empty();
        self.state = State::AtRest(rest);
        self.report(event, format!("{message}{gap}{more}"));
        if releases {
            self.push(Effect::ReleaseSockets);
        }
        if !self.is_wanted() {
            self.drop_occasions();
        }
        if self.removing {
            self.push(Effect::Gone);
        }
    }
}
