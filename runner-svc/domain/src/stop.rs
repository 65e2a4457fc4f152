//! The stop sequence (S2.6): signal → timeout → SIGKILL → kill timeout, on the
//! whole tree. Bounded: at the end of it the instance is at rest or stuck.

use crate::{Effect, Machine, RunId, State, Timer, state::AfterStop, state::StopStage};
use process_model::event_type;
use process_model::spec::Signal;
use std::time::Duration;

impl Machine {
    /// Sends the stop signal to the tree of `run`.
    pub(crate) fn begin_stop(&mut self, run: RunId, pid: Option<u32>, then: AfterStop) {
        let stop = self.spec().stop.clone();
        let timeout = self.stop_timeout.unwrap_or(stop.timeout);
        self.state = State::Stopping { run, pid, stage: StopStage::Signalled, then };
        self.push(Effect::Unobserve);
        self.push(Effect::SignalTree { run, signal: stop.signal });
        self.push(Effect::Arm { timer: Timer::Stop, after: timeout });
        let whom = pid.map_or_else(|| "processes left behind".to_owned(), |pid| format!("pid {pid}"));
        self.report(
            event_type::INSTANCE_STOPPING,
            format!("{} to {whom}; SIGKILL in {:.1} s", stop.signal, timeout.as_secs_f64()),
        );
    }

    /// Stops whatever is there, and goes on with `then`.
    pub(crate) fn stop_then(&mut self, then: AfterStop, ctx: &crate::Context) {
        match self.state.clone() {
            State::AtRest(_) => {}
            State::Backoff { .. } => {
                self.push(Effect::Disarm { timer: Timer::Restart });
                self.proceed(then, ctx);
            }
            State::Starting { run } => {
                self.state = State::Stopping { run, pid: None, stage: StopStage::AwaitingSpawn, then };
                // The keeper answers at once, unless it is in trouble itself: a stop has to end all the same.
                let stop = &self.spec().stop;
                let after = self.stop_timeout.unwrap_or(stop.timeout) + stop.kill_timeout;
                self.push(Effect::Arm { timer: Timer::Stop, after });
            }
            State::Running { run, pid, .. } => self.begin_stop(run, Some(pid), then),
            // The sequence goes on; only its aim changes.
            State::Stopping { run, pid, stage, .. } => {
                self.state = State::Stopping { run, pid, stage, then };
            }
            State::Stuck { run, .. } => self.state = State::Stuck { run, then },
        }
    }

    pub(crate) fn stop_timeout_given(&mut self, timeout: Duration) {
        self.stop_timeout = Some(timeout);
        match &self.state {
            State::Stopping { stage: StopStage::Signalled, .. } => {
                self.push(Effect::Arm { timer: Timer::Stop, after: timeout });
            }
            // Already past waiting, or it is used when the signal is sent.
            State::Stopping { stage: StopStage::AwaitingSpawn | StopStage::Killed, .. } => {}
            // Nothing is being stopped: a late message.
            State::AtRest(_)
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => self.stop_timeout = None,
        }
    }

    pub(crate) fn stop_step_over(&mut self) {
        match self.state.clone() {
            State::Stopping { run, pid, stage: StopStage::Signalled, then } => {
                let kill_timeout = self.spec().stop.kill_timeout;
                self.state = State::Stopping { run, pid, stage: StopStage::Killed, then };
                self.push(Effect::SignalTree { run, signal: Signal::KILL });
                self.push(Effect::Arm { timer: Timer::Stop, after: kill_timeout });
                self.report(event_type::INSTANCE_STOPPING, "still there; SIGKILL to the whole tree");
            }
            State::Stopping { run, stage: StopStage::Killed, then, .. } => {
                self.state = State::Stuck { run, then };
                self.report(
                    event_type::INSTANCE_STOP_FAILED,
                    "processes survived SIGKILL; not started again before they are gone",
                );
            }
            State::Stopping { run, stage: StopStage::AwaitingSpawn, then, .. } => {
                self.state = State::Stuck { run, then };
                self.report(
                    event_type::INSTANCE_STOP_FAILED,
                    "the keeper has not said whether it started; not started again before it has",
                );
            }
            // The timer was armed before something else happened.
            State::AtRest(_)
            | State::Starting { .. }
            | State::Running { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }
}
