//! The steps of a stop, between `pre_stop` and SIGKILL. A spec without steps
//! has one: its signal, and the wait after it.

use crate::words;
use crate::{Context, Effect, Machine, RunId, State, hooks::GRACE, state::StopStage};
use process_model::event_type;
use process_model::spec::{Scope, StopPolicy, StopStep};
use std::time::Duration;

/// The step at `index`; `None` behind the last.
fn step(policy: &StopPolicy, index: usize) -> Option<StopStep> {
    if policy.steps.is_empty() {
        let only = StopStep::Signal { signal: policy.signal, to: Scope::Tree, wait: policy.timeout };
        return (index == 0).then_some(only);
    }
    policy.steps.get(index).cloned()
}

/// The first step from `index` on that there is somebody for: without a main
/// process there is nobody to ask, and nothing to drain.
fn next_step(policy: &StopPolicy, index: usize, main_lives: bool) -> Option<(usize, StopStep)> {
    (index..policy.steps.len().max(1)).find_map(|index| {
        let step = step(policy, index)?;
        let serves = main_lives || matches!(step, StopStep::Signal { to: Scope::Tree, .. });
        serves.then_some((index, step))
    })
}

impl Machine {
    /// Goes on with the step at `index`, or what comes behind the last.
    pub(crate) fn enter_step(&mut self, index: usize, ctx: &Context) {
        let spec = self.assignment.spec.clone();
        let State::Stopping(stop) = &mut self.state else { return };
        let Some((index, step)) = next_step(&spec.stop, index, stop.pid.is_some()) else { return self.kill(ctx) };
        stop.stage = StopStage::Step(index);
        let (run, pid) = (stop.run, stop.pid);
        let is_last = self.is_last_step();
        let State::Stopping(stop) = &self.state else { return };
        // Whoever asked for SIGKILL after a longer time than the spec's gives the last step the rest of it.
        let rest = stop.by.filter(|_| is_last).map(|by| by.remaining(ctx));
        let count = spec.stop.steps.len();
        let which = if count > 0 { format!("step {} of {count}: ", index + 1) } else { String::new() };
        let (message, wait, commanding) = match step {
            StopStep::Signal { signal, to, wait } => {
                let (effect, whom) = match to {
                    Scope::Tree => (Effect::SignalTree { run, signal }, whom(pid)),
                    Scope::Main => (Effect::SignalMain { run, signal }, format!("{} alone", whom(pid))),
                };
                self.push(effect);
                (format!("{signal} to {whom}"), rest.unwrap_or(wait), false)
            }
            StopStep::Hook(hook) => {
                self.push(Effect::RunStopHook { run, step: index });
                (format!("runs {}", hook.command.summary()), hook.timeout.saturating_add(GRACE), true)
            }
            StopStep::Wait(wait) => ("waits".to_owned(), rest.unwrap_or(wait), false),
        };
        self.wait_in_stop(wait, commanding, ctx);
        let end = if is_last { "SIGKILL in" } else { "for at most" };
        let State::Stopping(stop) = &self.state else { return };
        let shown = words::duration(stop.until.remaining(ctx));
        self.report(event_type::INSTANCE_STOPPING, format!("{which}{message}; {end} {shown}"));
    }

    /// Whether SIGKILL is what comes next.
    pub(crate) fn is_last_step(&self) -> bool {
        let State::Stopping(stop) = &self.state else { return false };
        match stop.stage {
            StopStage::Step(index) => next_step(&self.spec().stop, index + 1, stop.pid.is_some()).is_none(),
            StopStage::AwaitingSpawn | StopStage::PreStop | StopStage::Killed => false,
        }
    }

    pub(crate) fn stop_hook_ended(&mut self, run: RunId, step: usize, outcome: Result<(), String>, ctx: &Context) {
        // In any other state, and at any other step, the answer came late.
        let State::Stopping(stop) = &mut self.state else { return };
        if stop.run != run || stop.stage != StopStage::Step(step) || !std::mem::take(&mut stop.commanding) {
            return;
        }
        if let Err(why) = outcome {
            self.report(event_type::INSTANCE_HOOK_FAILED, format!("step {} of the stop: {why}", step + 1));
        }
        self.enter_step(step + 1, ctx);
    }

    /// The program asks for more time for its end. It gets it, within an hour
    /// of the stop's beginning and what somebody asked for: a stop ends.
    pub(crate) fn extend_stop(&mut self, more: Duration, ctx: &Context) {
        let State::Stopping(stop) = &mut self.state else { return };
        match stop.stage {
            StopStage::Step(_) => {
                let longest = *process_model::spec::limits::STOP_TIMEOUT.end();
                let end = crate::moment::Moment::now(ctx).plus(more).min(stop.began.plus(longest));
                let end = stop.by.map_or(end, |by| end.min(by));
                if end > stop.until {
                    stop.until = end;
                    let after = end.remaining(ctx);
                    self.push(Effect::Arm { timer: crate::Timer::Stop, after });
                }
            }
            // Hooks have times of their own, and nobody bargains with SIGKILL.
            StopStage::AwaitingSpawn | StopStage::PreStop | StopStage::Killed => {}
        }
    }
}

fn whom(pid: Option<u32>) -> String {
    pid.map_or_else(|| "processes left behind".to_owned(), |pid| format!("pid {pid}"))
}
