//! Runs by a schedule: when one is due, what becomes of a time that comes while
//! the run before goes on, and rest between two runs.

use crate::runs::Occasion;
use crate::schedule::{Come, Timing};
use crate::words;
use crate::{Context, Effect, Machine, State, Timer, state::AfterStop, state::Rest};
use process_model::spec::Overlap;
use process_model::{RunOutcome, RunTrigger, Timestamp, event_type};

impl Machine {
    /// A time has come, and the next one is known: one step, so that neither a
    /// runner that dies nor a node that is left does it twice or not at all.
    pub(crate) fn due(&mut self, come: Come, next: Option<Timestamp>, ctx: &Context) {
        let Some(overlap) = self.spec().schedule.as_ref().map(|schedule| schedule.overlap) else { return };
        // Not taken in: whoever follows the schedule next finds this time where it was.
        if !self.is_wanted() {
            return;
        }
        self.rare_mut().next_due = next;
        let trigger = match come.how {
            Timing::OnTime => RunTrigger::Schedule,
            Timing::CaughtUp => RunTrigger::CatchUp,
            Timing::Missed => return self.missed(come.due),
        };
        let occasion = Occasion { due: Some(come.due), trigger };
        match &self.state {
            State::AtRest(_) => {
                self.rare_mut().occasion = Some(occasion);
                self.start_on_request(ctx);
            }
            // A new run is as good as another try of the old one.
            State::Backoff { .. } => {
                self.push(Effect::Disarm { timer: Timer::Restart });
                self.rare_mut().occasion = Some(occasion);
                self.start_on_request(ctx);
            }
            // It is on its way.
            State::Waiting { .. } => self.skip(occasion, "the run before has yet to start"),
            State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Stuck { .. } => self.overlap(occasion, overlap, ctx),
        }
    }

    fn missed(&mut self, due: Timestamp) {
        let occasion = Occasion { due: Some(due), trigger: RunTrigger::Schedule };
        self.note_left_out(occasion, RunOutcome::Missed);
        let next = self.next_run().map(|next| format!("; next run at {}", words::time(next))).unwrap_or_default();
        let message = format!("its time passed while nobody was there, at {}; left out{next}", words::time(due));
        self.report(event_type::INSTANCE_WAITING, message);
    }

    fn skip(&mut self, occasion: Occasion, why: &str) {
        self.note_left_out(occasion, RunOutcome::Skipped(why.to_owned()));
        self.report(event_type::INSTANCE_WAITING, format!("its time came; left out: {why}"));
    }

    fn overlap(&mut self, occasion: Occasion, overlap: Overlap, ctx: &Context) {
        match overlap {
            Overlap::Skip => self.skip(occasion, "the run before goes on"),
            Overlap::Queue if self.rare_mut().queued.is_some() => {
                self.skip(occasion, "the run before goes on, and one waits for its end already");
            }
            Overlap::Queue => {
                self.rare_mut().queued = Some(occasion);
                self.report(event_type::INSTANCE_WAITING, "its time came; runs when the run before has ended");
            }
            Overlap::Replace => {
                let before = self.rare_mut().occasion.replace(occasion);
                if let Some(before) = before.filter(|before| before.trigger.is_planned()) {
                    self.note_left_out(before, RunOutcome::Skipped("replaced before it began".to_owned()));
                }
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

    /// The time that waited for the end of a run is the next one's.
    pub(crate) fn take_queued(&mut self) -> bool {
        let Some(rare) = &mut self.rare else { return false };
        let queued = rare.queued.take();
        let waited = queued.is_some();
        rare.occasion = queued.or(rare.occasion);
        waited
    }
}
