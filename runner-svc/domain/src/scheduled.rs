//! Runs by a schedule: when one is due, what becomes of a time that comes while
//! the run before goes on, and rest between two runs.

use crate::words;
use crate::{Context, Effect, Machine, State, Timer, state::AfterStop, state::Rest};
use process_model::spec::Overlap;
use process_model::{Timestamp, event_type};

impl Machine {
    /// Its time has come.
    pub(crate) fn due(&mut self, ctx: &Context) {
        let Some(overlap) = self.spec().schedule.as_ref().map(|schedule| schedule.overlap) else { return };
        if !self.is_wanted() {
            return;
        }
        match &self.state {
            State::AtRest(_) => self.start_on_request(ctx),
            // A new run is as good as another try of the old one.
            State::Backoff { .. } => {
                self.push(Effect::Disarm { timer: Timer::Restart });
                self.start_on_request(ctx);
            }
            // It is on its way.
            State::Waiting { .. } => {}
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Stuck { .. } => self.overlap(overlap, ctx),
        }
    }

    fn overlap(&mut self, overlap: Overlap, ctx: &Context) {
        match overlap {
            Overlap::Skip => {
                self.report(event_type::INSTANCE_WAITING, "its time came; left out: the run before goes on")
            }
            Overlap::Queue => {
                self.rare_mut().queued = true;
                self.report(event_type::INSTANCE_WAITING, "its time came; runs when the run before has ended");
            }
            Overlap::Replace => {
                self.report(event_type::INSTANCE_WAITING, "its time came; the run before is stopped");
                self.stop_then(AfterStop::Start, ctx);
            }
        }
    }

    /// When its time comes next.
    pub(crate) fn next_due(&mut self, due: Option<Timestamp>) {
        let known = self.rare.as_ref().and_then(|rare| rare.next_due);
        if known == due {
            return;
        }
        self.rare_mut().next_due = due;
        match (&self.state, self.next_run()) {
            (State::AtRest(_), Some(next)) => {
                self.report(event_type::INSTANCE_WAITING, format!("next run at {}", words::time(next)));
            }
            // Told with the next end.
            (
                State::AtRest(_)
                | State::Waiting { .. }
                | State::Starting { .. }
                | State::Running { .. }
                | State::Stopping(_)
                | State::Cleaning { .. }
                | State::Backoff { .. }
                | State::Stuck { .. },
                _,
            ) => {}
        }
    }

    /// Follows the schedule from now on: nothing runs before it is due.
    pub(crate) fn follow_schedule(&mut self) {
        match &self.state {
            State::AtRest(Rest::Fresh | Rest::Held | Rest::Stopped) => self.come_to_rest(Rest::Scheduled),
            // It follows it already, or goes on first.
            State::AtRest(Rest::Scheduled | Rest::Exited | Rest::Failed(_))
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }

    pub(crate) fn take_queued(&mut self) -> bool {
        self.rare.as_mut().is_some_and(|rare| std::mem::take(&mut rare.queued))
    }
}
