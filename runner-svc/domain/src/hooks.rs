//! Commands around the life of a program: which state waits for which, and
//! what follows from their ends. At most one goes on at a time.

use crate::words;
use crate::{Context, Effect, Machine, RunId, State, Timer, state::AfterStop, state::StopStage};
use process_model::event_type;
use process_model::spec::{Hook, HookKind};
use std::time::Duration;

/// Time beyond its own that a hook of a stop gets to be gone: it is killed when
/// its time is over, and whoever cannot be killed holds no stop up.
pub(crate) const GRACE: Duration = Duration::from_secs(6);

impl Machine {
    fn hook(&self, kind: HookKind) -> Option<&Hook> {
        self.spec().hooks.as_ref()?.get(kind)
    }

    pub(crate) fn has_hook(&self, kind: HookKind) -> bool {
        self.hook(kind).is_some()
    }

    pub(crate) fn hook_timeout(&self, kind: HookKind) -> Duration {
        self.hook(kind).map_or(Duration::ZERO, |hook| hook.timeout)
    }

    pub(crate) fn hook_ended(&mut self, run: RunId, hook: HookKind, outcome: Result<(), String>, ctx: &Context) {
        // In every other state the answer came late: the hook was cancelled, and what follows was decided then.
        match hook {
            HookKind::PreStart => match &self.state {
                State::Starting { run: current, preparing: true } if *current == run => {
                    self.prepared(run, outcome, ctx)
                }
                State::Starting { .. }
                | State::AtRest(_)
                | State::Waiting { .. }
                | State::Running { .. }
                | State::Stopping(_)
                | State::Cleaning { .. }
                | State::Backoff { .. }
                | State::Stuck { .. } => {}
            },
            HookKind::PostStart => match &self.state {
                State::Running { run: current, health, .. } if *current == run && health.settling => {
                    self.settled(outcome, ctx);
                }
                State::Running { .. }
                | State::AtRest(_)
                | State::Waiting { .. }
                | State::Starting { .. }
                | State::Stopping(_)
                | State::Cleaning { .. }
                | State::Backoff { .. }
                | State::Stuck { .. } => {}
            },
            HookKind::Reload => match &self.state {
                State::Running { run: current, .. } if *current == run => self.reload_hook_ended(outcome),
                State::Running { .. }
                | State::AtRest(_)
                | State::Waiting { .. }
                | State::Starting { .. }
                | State::Stopping(_)
                | State::Cleaning { .. }
                | State::Backoff { .. }
                | State::Stuck { .. } => {}
            },
            HookKind::PreStop => match &mut self.state {
                State::Stopping(stop) if stop.run == run && stop.stage == StopStage::PreStop => {
                    stop.commanding = false;
                    if let Err(why) = outcome {
                        self.report_failed_hook(HookKind::PreStop, &why);
                    }
                    self.enter_step(0, ctx);
                }
                State::Stopping(_)
                | State::AtRest(_)
                | State::Waiting { .. }
                | State::Starting { .. }
                | State::Running { .. }
                | State::Cleaning { .. }
                | State::Backoff { .. }
                | State::Stuck { .. } => {}
            },
            HookKind::PostStop => match &self.state {
                State::Cleaning { run: current, then } if *current == run => {
                    let then = then.clone();
                    self.cleaned_up(then, outcome, ctx);
                }
                State::Cleaning { .. }
                | State::AtRest(_)
                | State::Waiting { .. }
                | State::Starting { .. }
                | State::Running { .. }
                | State::Stopping(_)
                | State::Backoff { .. }
                | State::Stuck { .. } => {}
            },
        }
    }

    /// The `post_start` hook of the running program ended.
    fn settled(&mut self, outcome: Result<(), String>, ctx: &Context) {
        match outcome {
            Ok(()) => self.change_health("the post_start hook ended", |health| health.settling = false),
            Err(why) => {
                self.change_health("", |health| health.settling = false);
                self.end_by_policy(event_type::INSTANCE_HOOK_FAILED, format!("post_start hook: {why}"), ctx);
            }
        }
    }

    pub(crate) fn report_failed_hook(&mut self, hook: HookKind, why: &str) {
        self.report(event_type::INSTANCE_HOOK_FAILED, format!("{} hook: {why}", hook.as_str()));
    }

    /// The command of a stop is not done, though whoever runs it should have
    /// ended it.
    pub(crate) fn report_overdue_command(&mut self, stage: StopStage) {
        let which = match stage {
            StopStage::PreStop => "pre_stop hook".to_owned(),
            StopStage::Step(step) => format!("step {} of the stop", step + 1),
            // No command of ours goes on then.
            StopStage::AwaitingSpawn | StopStage::Killed => return,
        };
        self.report(event_type::INSTANCE_HOOK_FAILED, format!("{which}: its time is over"));
    }

    /// Nobody is left: the `post_stop` hook's turn.
    pub(crate) fn clean_up(&mut self, run: RunId, then: AfterStop) {
        let timeout = self.hook_timeout(HookKind::PostStop);
        self.state = State::Cleaning { run, then };
        self.push(Effect::RunHook { run, hook: HookKind::PostStop });
        self.push(Effect::Arm { timer: Timer::Stop, after: timeout.saturating_add(GRACE) });
    }

    fn cleaned_up(&mut self, then: AfterStop, outcome: Result<(), String>, ctx: &Context) {
        if let Err(why) = outcome {
            self.report_failed_hook(HookKind::PostStop, &why);
        }
        self.push(Effect::Disarm { timer: Timer::Stop });
        self.proceed(then, ctx);
    }

    pub(crate) fn clean_up_overdue(&mut self, ctx: &Context) {
        let State::Cleaning { then, .. } = &self.state else { return };
        let then = then.clone();
        let timeout = words::duration(self.hook_timeout(HookKind::PostStop));
        self.push(Effect::CancelHooks);
        self.cleaned_up(then, Err(format!("its time is over (at most {timeout})")), ctx);
    }
}
