//! What is wanted: assignments, removal, holding.
//!
//! An assignment is a level: repeating it changes nothing. The one edge in it
//! is `restart_count`, which grows with each request to restart.

use crate::edit::Edit;
use crate::{Context, Effect, Machine, State, Timer, state::AfterStop, state::Rest};
use process_model::Assignment;
use std::sync::Arc;

impl Machine {
    pub(crate) fn assigned(&mut self, assignment: Arc<Assignment>, ctx: &Context) {
        let was_wanted = self.is_wanted();
        let edit = Edit::between(self.spec(), &assignment.spec);
        let asked = assignment.restart_count > self.restarts_asked;
        self.restarts_asked = self.restarts_asked.max(assignment.restart_count);
        self.assignment = assignment;
        self.removing = false;
        self.take_in(edit, ctx);
        match (was_wanted, self.is_wanted()) {
            (was_wanted, false) => self.not_wanted(was_wanted, ctx),
            (true, true) if asked => self.start_anew(ctx),
            (true, true) if edit.program => self.start_anew(ctx),
            (true, true) => self.keep(edit, ctx),
            (false, true) => self.start_anew(ctx),
        }
    }

    /// What an edit changes without a restart.
    fn take_in(&mut self, edit: Edit, ctx: &Context) {
        if edit.dependencies {
            if self.spec().depends_on.is_empty() {
                if let Some(rare) = &mut self.rare {
                    rare.waiting_for = None;
                }
            } else if edit.first_dependencies {
                self.wait_until_told();
            }
        }
        if edit.sockets {
            self.push(Effect::ReleaseSockets);
        }
        if let (true, Some(run)) = (edit.logs, self.state.run()) {
            self.push(Effect::SetLogs { run });
        }
        if let (true, State::Running { .. }) = (edit.max_runtime, &self.state) {
            self.push(Effect::Disarm { timer: Timer::MaxRuntime });
            self.arm_max_runtime(ctx);
        }
    }

    fn not_wanted(&mut self, was_wanted: bool, ctx: &Context) {
        match &self.state {
            // Say that it has been taken up, though nothing is to be done.
            State::AtRest(Rest::Fresh | Rest::Scheduled) => self.come_to_rest(Rest::Stopped),
            // A person who stops a failed instance has seen it.
            State::AtRest(Rest::Exited | Rest::Failed(_)) if was_wanted => self.come_to_rest(Rest::Stopped),
            State::AtRest(Rest::Stopped | Rest::Held | Rest::Exited | Rest::Failed(_)) => {}
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Stuck { .. } => self.stop_then(AfterStop::Rest(Rest::Stopped), ctx),
        }
    }

    /// Wanted to run from now on, or once more. With a schedule: now, and then
    /// whenever it is due.
    fn start_anew(&mut self, ctx: &Context) {
        self.note_request();
        match &self.state {
            State::AtRest(_) => self.start_on_request(ctx),
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Stuck { .. } => self.stop_then(AfterStop::Start, ctx),
        }
    }

    /// Wanted as before: nothing to do, but for what a fresh start owes and
    /// what an edit asks for.
    fn keep(&mut self, edit: Edit, ctx: &Context) {
        if self.spec().schedule.is_some() {
            self.follow_schedule();
        }
        let scheduled = self.spec().schedule.is_some();
        match &self.state {
            State::AtRest(Rest::Fresh | Rest::Held | Rest::Stopped | Rest::Scheduled) if !scheduled => {
                self.start_on_request(ctx);
            }
            // From now on it runs all the time.
            State::AtRest(Rest::Exited | Rest::Failed(_)) if edit.unscheduled => self.start_on_request(ctx),
            State::Waiting { .. } if self.waiting_for().is_none() => self.start_now(ctx),
            State::Backoff { .. } | State::Stopping(_) | State::Cleaning { .. } | State::Stuck { .. }
                if edit.restarts =>
            {
                self.judge_anew(edit.delays, ctx);
            }
            State::Running { run, .. } if edit.watching => {
                let run = *run;
                self.watch_anew(edit);
                self.push(Effect::Unobserve);
                self.push(Effect::Observe { run });
            }
            // It ended and the policy said to leave it at that: a repeated assignment is no request.
            State::AtRest(_) => {}
            State::Waiting { .. }
            | State::Running { .. }
            | State::Starting { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }

    /// The probes were edited: what the old ones counted is void.
    fn watch_anew(&mut self, edit: Edit) {
        let asks_nothing = self.spec().readiness.is_none();
        self.change_health("", |health| {
            if edit.readiness {
                (health.successes, health.failures) = (0, 0);
                health.serves |= asks_nothing;
            }
            health.dead = 0;
        });
    }

    pub(crate) fn unassigned(&mut self, ctx: &Context) {
        self.removing = true;
        match &self.state {
            State::AtRest(_) => {
                if !self.spec().sockets.is_empty() {
                    self.push(Effect::ReleaseSockets);
                }
                self.push(Effect::Gone);
            }
            State::Waiting { .. }
            | State::Backoff { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Stuck { .. } => self.stop_then(AfterStop::Rest(Rest::Stopped), ctx),
        }
    }

    pub(crate) fn hold(&mut self, ctx: &Context) {
        self.held = true;
        self.stop_then(AfterStop::Rest(Rest::Held), ctx);
    }
}
