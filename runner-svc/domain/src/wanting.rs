//! What is wanted: assignments, removal, holding.
//!
//! An assignment is a level: repeating it changes nothing. The one edge in it
//! is `restart_count`, which grows with each request to restart.

use crate::{Context, Effect, Machine, State, state::AfterStop, state::Rest};
use process_model::{Assignment, ProcessSpec};

impl Machine {
    pub(crate) fn assigned(&mut self, assignment: Assignment, ctx: &Context) {
        let was_wanted = self.is_wanted();
        let new_program = differs_in_program(self.spec(), &assignment.spec);
        let new_watching = differs_in_watching(self.spec(), &assignment.spec);
        let asked = assignment.restart_count > self.restarts_asked;
        self.restarts_asked = self.restarts_asked.max(assignment.restart_count);
        self.assignment = assignment;
        self.removing = false;
        match (was_wanted, self.is_wanted()) {
            (was_wanted, false) => self.not_wanted(was_wanted, ctx),
            (true, true) if asked || new_program => self.start_anew(ctx),
            (true, true) => self.keep_running(new_watching, ctx),
            (false, true) => self.start_anew(ctx),
        }
    }

    fn not_wanted(&mut self, was_wanted: bool, ctx: &Context) {
        match &self.state {
            // Say that it has been taken up, though nothing is to be done.
            State::AtRest(Rest::Fresh) => self.come_to_rest(Rest::Stopped),
            // A person who stops a failed instance has seen it.
            State::AtRest(Rest::Exited | Rest::Failed(_)) if was_wanted => self.come_to_rest(Rest::Stopped),
            State::AtRest(_) => {}
            State::Backoff { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Stuck { .. } => self.stop_then(AfterStop::Rest(Rest::Stopped), ctx),
        }
    }

    /// Wanted to run from now on, or once more.
    fn start_anew(&mut self, ctx: &Context) {
        match &self.state {
            State::AtRest(_) => self.start_on_request(ctx),
            State::Backoff { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Stuck { .. } => self.stop_then(AfterStop::Start, ctx),
        }
    }

    /// Wanted as before: nothing to do, but for what a fresh start owes.
    fn keep_running(&mut self, new_watching: bool, ctx: &Context) {
        match &self.state {
            State::AtRest(Rest::Fresh | Rest::Held | Rest::Stopped) => self.start_on_request(ctx),
            State::Running { run, .. } if new_watching => {
                let run = *run;
                if let State::Running { ready, probe_failures, .. } = &mut self.state {
                    *probe_failures = 0;
                    *ready = *ready || self.assignment.spec.readiness.is_none();
                }
                self.push(Effect::Unobserve);
                self.push(Effect::Observe { run });
            }
            // It ended and the policy said to leave it at that: a repeated assignment is no request.
            State::AtRest(Rest::Exited | Rest::Failed(_)) => {}
            State::Running { .. }
            | State::Starting { .. }
            | State::Stopping { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }

    pub(crate) fn unassigned(&mut self, ctx: &Context) {
        self.removing = true;
        match &self.state {
            State::AtRest(_) => self.push(Effect::Gone),
            State::Backoff { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping { .. }
            | State::Stuck { .. } => self.stop_then(AfterStop::Rest(Rest::Stopped), ctx),
        }
    }

    pub(crate) fn hold(&mut self, ctx: &Context) {
        self.held = true;
        self.stop_then(AfterStop::Rest(Rest::Held), ctx);
    }
}

/// Whether the running program is not the one that the new spec asks for.
fn differs_in_program(old: &ProcessSpec, new: &ProcessSpec) -> bool {
    (&old.command, &old.runtime, &old.working_dir, &old.env, &old.user, &old.log_file)
        != (&new.command, &new.runtime, &new.working_dir, &new.env, &new.user, &new.log_file)
}

/// Whether probes or watchdog have to begin anew.
fn differs_in_watching(old: &ProcessSpec, new: &ProcessSpec) -> bool {
    (&old.readiness, &old.log_watchdog) != (&new.readiness, &new.log_watchdog)
}
