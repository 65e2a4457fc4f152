//! The stop (S2.6): `pre_stop` hook → steps → SIGKILL → kill timeout, on the
//! whole tree. Bounded: at the end of it nobody is left, or the instance is
//! stuck.

use crate::words;
use crate::{
    Context, Effect, Machine, RunId, State, Timer, hooks::GRACE, moment::Moment, state::AfterStop, state::Stop,
    state::StopStage,
};
use process_model::event_type;
use process_model::spec::{HookKind, Signal};
use std::time::Duration;

impl Machine {
    /// Begins to end the tree of `run`. What the main process left behind
    /// (`pid` is `None`) has no `pre_stop`.
    pub(crate) fn begin_stop(&mut self, run: RunId, pid: Option<u32>, then: AfterStop, ctx: &Context) {
        let first = if self.has_hook(HookKind::PreStop) { StopStage::PreStop } else { StopStage::Step(0) };
        self.begin_stop_at(run, pid, then, first, ctx);
    }

    /// The same from a later stage on: a stop that a runner did not live to
    /// finish.
    pub(crate) fn begin_stop_at(
        &mut self,
        run: RunId,
        pid: Option<u32>,
        then: AfterStop,
        first: StopStage,
        ctx: &Context,
    ) {
        self.end_watching();
        let now = Moment::now(ctx);
        let by = self.stop_timeout.take().map(|timeout| now.plus(timeout));
        let stop = Stop { run, pid, stage: first, commanding: false, then, began: now, by, until: now };
        self.state = State::Stopping(Box::new(stop));
        match first {
            StopStage::PreStop if pid.is_some() => self.run_pre_stop(run, ctx),
            StopStage::AwaitingSpawn | StopStage::PreStop => self.enter_step(0, ctx),
            StopStage::Step(step) => self.enter_step(step, ctx),
            StopStage::Killed => self.kill(ctx),
        }
    }

    fn run_pre_stop(&mut self, run: RunId, ctx: &Context) {
        let timeout = self.hook_timeout(HookKind::PreStop);
        self.push(Effect::RunHook { run, hook: HookKind::PreStop });
        self.report(event_type::INSTANCE_STOPPING, format!("pre_stop hook, for at most {}", words::duration(timeout)));
        self.wait_in_stop(timeout.saturating_add(GRACE), true, ctx);
    }

    /// The present stage lasts for `own`, or less when somebody asked for that.
    pub(crate) fn wait_in_stop(&mut self, own: Duration, commanding: bool, ctx: &Context) {
        let State::Stopping(stop) = &mut self.state else { return };
        let after = stop.by.map_or(own, |by| own.min(by.remaining(ctx)));
        stop.until = Moment::now(ctx).plus(after);
        stop.commanding = commanding;
        self.push(Effect::Arm { timer: Timer::Stop, after });
    }

    /// SIGKILL to everybody.
    pub(crate) fn kill(&mut self, ctx: &Context) {
        let kill_timeout = self.spec().stop.kill_timeout;
        let State::Stopping(stop) = &mut self.state else { return };
        stop.stage = StopStage::Killed;
        // Nothing comes sooner than this any more.
        stop.by = None;
        let run = stop.run;
        self.push(Effect::SignalTree { run, signal: Signal::KILL });
        self.report(event_type::INSTANCE_STOPPING, "still there; SIGKILL to the whole tree");
        self.wait_in_stop(kill_timeout, false, ctx);
    }

    /// Stops whatever is there, and goes on with `then`.
    pub(crate) fn stop_then(&mut self, then: AfterStop, ctx: &Context) {
        match &mut self.state {
            State::AtRest(_) => {}
            State::Waiting { .. } => self.proceed(then, ctx),
            State::Backoff { .. } => {
                self.push(Effect::Disarm { timer: Timer::Restart });
                self.proceed(then, ctx);
            }
            State::Starting { run, preparing: true } => {
                let run = *run;
                self.push(Effect::CancelHooks);
                self.finish(run, then, ctx);
            }
            State::Starting { run, preparing: false } => {
                let now = Moment::now(ctx);
                // The keeper answers at once, unless it is in trouble itself: a stop has to end all the same.
                let policy = &self.assignment.spec.stop;
                let after = self.stop_timeout.unwrap_or(policy.timeout).saturating_add(policy.kill_timeout);
                self.state = State::Stopping(Box::new(Stop {
                    run: *run,
                    pid: None,
                    stage: StopStage::AwaitingSpawn,
                    commanding: false,
                    then,
                    began: now,
                    by: None,
                    until: now.plus(after),
                }));
                self.push(Effect::Arm { timer: Timer::Stop, after });
                self.report(event_type::INSTANCE_STOPPING, "stopped as soon as it is there");
            }
            State::Running { run, pid, .. } => {
                let (run, pid) = (*run, *pid);
                self.begin_stop(run, Some(pid), then, ctx);
            }
            // It goes on; only its aim changes.
            State::Stopping(stop) => stop.then = then,
            State::Cleaning { then: aim, .. } | State::Stuck { then: aim, .. } => *aim = then,
        }
    }

    /// Somebody asked for SIGKILL after this long.
    pub(crate) fn stop_timeout_given(&mut self, timeout: Duration, ctx: &Context) {
        match &mut self.state {
            State::Stopping(stop) => match stop.stage {
                // It is used when there is something to stop.
                StopStage::AwaitingSpawn => self.stop_timeout = Some(timeout),
                StopStage::PreStop | StopStage::Step(_) => {
                    let by = Moment::now(ctx).plus(timeout);
                    stop.by = Some(by);
                    let last = self.is_last_step();
                    let State::Stopping(stop) = &mut self.state else { return };
                    if last || by < stop.until {
                        stop.until = by;
                        self.push(Effect::Arm { timer: Timer::Stop, after: timeout });
                    }
                }
                // Already past waiting.
                StopStage::Killed => {}
            },
            // It was killed long ago: what is left to be done may take this long.
            State::Cleaning { .. } => {
                let after = timeout.min(self.hook_timeout(HookKind::PostStop));
                self.push(Effect::Arm { timer: Timer::Stop, after });
            }
            // Nothing is being stopped: a late message.
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }

    /// The time of the present stage is over.
    pub(crate) fn stop_step_over(&mut self, ctx: &Context) {
        match &mut self.state {
            State::Stopping(stop) => {
                let (run, stage, by) = (stop.run, stop.stage, stop.by);
                if std::mem::take(&mut stop.commanding) {
                    self.push(Effect::CancelHooks);
                    self.report_overdue_command(stage);
                }
                match stage {
                    // The operator's patience is at its end.
                    StopStage::PreStop | StopStage::Step(_) if by.is_some_and(|by| by.remaining(ctx).is_zero()) => {
                        self.kill(ctx);
                    }
                    StopStage::PreStop => self.enter_step(0, ctx),
                    StopStage::Step(step) => self.enter_step(step + 1, ctx),
                    StopStage::Killed => self.get_stuck(run, "processes survived SIGKILL"),
                    StopStage::AwaitingSpawn => {
                        self.get_stuck(run, "the keeper has not said whether it started");
                    }
                }
            }
            State::Cleaning { .. } => self.clean_up_overdue(ctx),
            State::Running { .. } => self.did_not_leave(ctx),
            // The timer was armed before something else happened.
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }

    fn get_stuck(&mut self, run: RunId, why: &str) {
        let State::Stopping(stop) = &self.state else { return };
        self.state = State::Stuck { run, then: stop.then.clone() };
        self.report(event_type::INSTANCE_STOP_FAILED, format!("{why}; not started again before they are gone"));
    }
}
