//! Taking over from a runner that died: what the keeper knows is believed,
//! what nobody knows is never called a success.

use crate::{Context, Effect, Machine, RunId, State, state::AfterStop, state::Rest};
use process_model::{ExitStatus, Timestamp, event_type};
use std::time::Duration;

impl Machine {
    /// The run lives: go on with it, whatever the memo said.
    pub(crate) fn adopted(&mut self, run: RunId, pid: u32, started: Timestamp, age: Duration, ctx: &Context) {
        self.started = Some(started);
        let ready = self.spec().readiness.is_none();
        // Its age counts towards stability.
        let since = ctx.now.saturating_sub(age);
        self.state = State::Running { run, pid, since, ready, probe_failures: 0 };
        self.report(event_type::INSTANCE_ADOPTED, format!("taken over with pid {pid}"));
        match self.unfinished.take() {
            // A stop was going on when the runner died: do it from the beginning.
            Some(then) => self.begin_stop(run, Some(pid), then),
            None if self.is_wanted() => self.push(Effect::Observe { run }),
            None => self.begin_stop(run, Some(pid), AfterStop::Rest(Rest::Stopped)),
        }
    }

    /// The run is gone and its ending with it.
    pub(crate) fn run_lost(&mut self, run: RunId, rebooted: bool, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        let why = if rebooted { "the node was booted" } else { "its keeper was lost" };
        let status = ExitStatus::Unknown(why.to_owned());
        self.last_exit = Some(status.clone());
        self.report(event_type::INSTANCE_EXITED, format!("ended with {status}"));
        let unfinished = self.unfinished.take();
        let then = if let Some(then) = unfinished {
            then
        } else if rebooted {
            // A boot is no fault of the program: start, without delay or count.
            AfterStop::Start
        } else {
            self.after_end(false, format!("ended with {status}"), ctx)
        };
        self.finish(run, then, ctx);
    }
}
