//! Starting: the request, the `pre_start` hook, success, failure.

use crate::{
    Context, Effect, Machine, RunId, SpawnError, State, Timer, health::Health, moment::Moment, state::StopStage,
};
use process_model::spec::HookKind;
use process_model::{Timestamp, event_type};

impl Machine {
    /// Starts a new run, unless something has to happen elsewhere first.
    fn start(&mut self, ctx: &Context) {
        self.push(Effect::Disarm { timer: Timer::Restart });
        match self.waiting_for() {
            Some(why) => {
                let why = why.to_owned();
                self.wait_for(why);
            }
            None => self.start_now(ctx),
        }
    }

    /// Starts a new run.
    pub(crate) fn start_now(&mut self, ctx: &Context) {
        let run = ctx.next_run;
        self.stop_timeout = None;
        self.forget_words();
        self.note_begin(run);
        let preparing = self.has_hook(HookKind::PreStart);
        self.state = State::Starting { run, preparing };
        self.push(begin(run, preparing));
    }

    /// Starts because somebody asked: the count begins anew.
    pub(crate) fn start_on_request(&mut self, ctx: &Context) {
        self.restarts = 0;
        self.streak = 0;
        self.forget_restarts();
        self.start(ctx);
    }

    /// Starts because the last run ended: it counts.
    pub(crate) fn start_as_restart(&mut self, ctx: &Context) {
        self.restarts = self.restarts.saturating_add(1);
        self.streak = self.streak.saturating_add(1);
        self.note_restart(ctx);
        self.start(ctx);
    }

    /// What a start asks for that has not been answered.
    pub(crate) fn unanswered_start(&self) -> Option<Effect> {
        match &self.state {
            State::Starting { run, preparing } => Some(begin(*run, *preparing)),
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => None,
        }
    }

    /// The `pre_start` hook of `run` ended.
    pub(crate) fn prepared(&mut self, run: RunId, outcome: Result<(), String>, ctx: &Context) {
        self.state = State::Starting { run, preparing: false };
        match outcome {
            Ok(()) => self.push(Effect::Spawn { run }),
            Err(why) => {
                self.report_failed_hook(HookKind::PreStart, &why);
                self.start_failed(run, &format!("pre_start hook: {why}"), ctx);
            }
        }
    }

    pub(crate) fn spawned(&mut self, run: RunId, pid: u32, started: Timestamp, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        match &self.state {
            State::Starting { preparing: false, .. } => {
                self.started = Some(started);
                self.interrupted = None;
                self.note_started(run, started);
                let health = Health::new(self.spec().readiness.is_none(), self.has_hook(HookKind::PostStart));
                self.state = State::Running { run, pid, since: Moment::now(ctx), health };
                self.push(Effect::Observe { run });
                self.arm_for_run(ctx);
                if health.settling {
                    self.push(Effect::RunHook { run, hook: HookKind::PostStart });
                }
                self.report(event_type::INSTANCE_STARTED, format!("started with pid {pid}"));
                if health.is_ready() {
                    self.report(event_type::INSTANCE_READY, "ready");
                }
            }
            State::Stopping(stop) if stop.stage == StopStage::AwaitingSpawn => {
                // Stopped before it was there: now there is something to stop.
                let then = stop.then.clone();
                self.started = Some(started);
                self.note_started(run, started);
                self.begin_stop(run, Some(pid), then, ctx);
            }
            // Late, or said again by a keeper that was connected anew: try once more to end it.
            State::Stuck { then, .. } => {
                let then = then.clone();
                self.begin_stop(run, Some(pid), then, ctx);
            }
            // The keeper has not been asked for it.
            State::Starting { preparing: true, .. } => {}
            // Said twice.
            State::Running { .. } | State::Stopping(_) => {}
            // No run: `is_current` was false.
            State::AtRest(_) | State::Waiting { .. } | State::Cleaning { .. } | State::Backoff { .. } => {}
        }
    }

    pub(crate) fn spawn_failed(&mut self, run: RunId, error: &SpawnError, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        match &self.state {
            State::Starting { .. } => self.start_failed(run, &error.to_string(), ctx),
            State::Stopping(stop) if stop.stage == StopStage::AwaitingSpawn => {
                let then = stop.then.clone();
                self.finish(run, then, ctx);
            }
            State::Stuck { then, .. } => {
                let then = then.clone();
                self.finish(run, then, ctx);
            }
            // A run that was spawned cannot fail to be spawned.
            State::Running { .. } | State::Stopping(_) => {}
            State::AtRest(_) | State::Waiting { .. } | State::Cleaning { .. } | State::Backoff { .. } => {}
        }
    }

    fn start_failed(&mut self, run: RunId, error: &str, ctx: &Context) {
        let why = format!("cannot start: {error}");
        self.note_failed(run, &why);
        self.report(event_type::INSTANCE_START_FAILED, why.clone());
        let then = self.after_failure(why, ctx);
        self.finish(run, then, ctx);
    }

    pub(crate) fn restart_due(&mut self, ctx: &Context) {
        match &self.state {
            State::Backoff { .. } => self.start_as_restart(ctx),
            // The timer was armed before something else happened.
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Stuck { .. } => {}
        }
    }
}

fn begin(run: RunId, preparing: bool) -> Effect {
    if preparing { Effect::RunHook { run, hook: HookKind::PreStart } } else { Effect::Spawn { run } }
}
