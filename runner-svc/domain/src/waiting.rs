//! Waiting for what has to happen elsewhere before a start: what an instance
//! depends on, and for a singleton its lease. What is found out
//! elsewhere is only ever told; nothing starts before it was.

pub(crate) mod lease;

use crate::{Context, Machine, State};
use process_model::event_type;

impl Machine {
    /// It depends on something, and nobody has looked yet.
    pub(crate) fn wait_until_told(&mut self) {
        let rare = self.rare_mut();
        if !rare.told {
            rare.waiting_for = Some("what it depends on".to_owned());
        }
    }

    pub(crate) fn wait_for(&mut self, why: String) {
        self.report(event_type::INSTANCE_WAITING, format!("waits for {why}"));
        self.state = State::Waiting { why };
    }

    pub(crate) fn dependencies(&mut self, waiting_for: Option<String>, ctx: &Context) {
        let rare = self.rare_mut();
        rare.told = true;
        rare.waiting_for = waiting_for;
        match &self.state {
            State::Waiting { .. } => self.look_again(ctx),
            // It counts at the next start: what runs is not ended because something else has changed.
            State::AtRest(_)
            | State::Starting { .. }
            | State::Running { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }
}
