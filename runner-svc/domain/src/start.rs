//! Starting: the request, its success, its failure.

use crate::{Context, Effect, Machine, RunId, SpawnError, State, Timer, state::AfterStop, state::StopStage};
use process_model::{Timestamp, event_type};

impl Machine {
    /// Starts a new run.
    pub(crate) fn start(&mut self, ctx: &Context) {
        let run = ctx.next_run;
        self.stop_timeout = None;
        self.state = State::Starting { run };
        self.push(Effect::Disarm { timer: Timer::Restart });
        self.push(Effect::Spawn { run });
    }

    /// Starts because somebody asked: the count begins anew.
    pub(crate) fn start_on_request(&mut self, ctx: &Context) {
        self.restarts = 0;
        self.streak = 0;
        self.start(ctx);
    }

    /// Starts because the last run ended: it counts.
    pub(crate) fn start_as_restart(&mut self, ctx: &Context) {
        self.restarts = self.restarts.saturating_add(1);
        self.streak = self.streak.saturating_add(1);
        self.start(ctx);
    }

    pub(crate) fn spawned(&mut self, run: RunId, pid: u32, started: Timestamp, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        match self.state.clone() {
            State::Starting { run } => {
                self.started = Some(started);
                let ready = self.spec().readiness.is_none();
                self.state = State::Running { run, pid, since: ctx.now, ready, probe_failures: 0 };
                self.push(Effect::Observe { run });
                self.report(event_type::INSTANCE_STARTED, format!("started with pid {pid}"));
                if ready {
                    self.report(event_type::INSTANCE_READY, "ready");
                }
            }
            State::Stopping { run, stage: StopStage::AwaitingSpawn, then, .. } => {
                // Stopped before it was there: now there is something to stop.
                self.started = Some(started);
                self.begin_stop(run, Some(pid), then);
            }
            // Late, or said again by a keeper that was connected anew: try once more to end it.
            State::Stuck { run, then } => self.begin_stop(run, Some(pid), then),
            // Said twice.
            State::Running { .. } | State::Stopping { .. } => {}
            // No run: `is_current` was false.
            State::AtRest(_) | State::Backoff { .. } => {}
        }
    }

    pub(crate) fn spawn_failed(&mut self, run: RunId, error: &SpawnError, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        match self.state.clone() {
            State::Starting { .. } => {
                let why = format!("cannot start: {error}");
                self.report(event_type::INSTANCE_START_FAILED, why.clone());
                let then = self.after_failure(why, ctx);
                self.finish(run, then, ctx);
            }
            State::Stopping { stage: StopStage::AwaitingSpawn, then, .. } | State::Stuck { then, .. } => {
                self.finish(run, then, ctx);
            }
            // A run that was spawned cannot fail to be spawned.
            State::Running { .. } | State::Stopping { .. } => {}
            State::AtRest(_) | State::Backoff { .. } => {}
        }
    }

    pub(crate) fn restart_due(&mut self, ctx: &Context) {
        match &self.state {
            State::Backoff { .. } => self.start_as_restart(ctx),
            // The timer was armed before something else happened.
            State::AtRest(_)
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Stuck { .. } => {}
        }
    }

    /// What follows a failure to start.
    fn after_failure(&self, why: String, ctx: &Context) -> AfterStop {
        self.after_end(false, why, ctx)
    }
}
