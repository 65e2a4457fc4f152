//! Actions on units of systemd of this node, where its own policy allows
//! them. Each is carried out once: that it begins is on disk before systemd
//! hears of it, and what a runner that ended meanwhile had begun is not begun
//! again.
//!
//! ```text
//! session ─order─▶ policy ─▶ journal (began) ─▶ bus (job, and its end) ─▶ journal (report) ─▶ session
//! ```

mod bus;

use crate::clock;
use crate::io::journal::Journal;
use crate::io::program::Surroundings;
use bus::Bus;
use process_model::{ActionReport, ActionState, ActionVerb};
use std::sync::Arc;

/// What is to be done with a unit.
#[derive(Debug)]
pub(crate) struct UnitOrder {
    /// Id of the action.
    pub(crate) action: String,
    /// What is to be done.
    pub(crate) verb: ActionVerb,
    /// Whole name of the unit.
    pub(crate) unit: String,
}

/// Cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Units {
    journal: Journal,
    surroundings: Arc<Surroundings>,
    bus: Arc<Bus>,
}

impl Units {
    /// Says of what an earlier runner had begun that it is not known how it
    /// ended.
    pub(crate) fn new(journal: Journal, surroundings: &Arc<Surroundings>) -> Self {
        let units = Self { journal, surroundings: surroundings.clone(), bus: Arc::default() };
        for action in units.journal.unfinished() {
            let why = "the runner ended while systemd carried it out; `systemctl status` says how the unit is";
            units.report(action, ActionState::Failed, why);
        }
        units
    }

    /// Has it carried out, unless it has begun already.
    pub(crate) fn order(&self, order: UnitOrder) {
        if self.journal.has_begun(&order.action) {
            return;
        }
        if let Err(why) = self.surroundings.policy.get().allow_unit(&order.unit) {
            return self.report(order.action, ActionState::Failed, &why);
        }
        self.journal.began(&order.action);
        self.report(order.action.clone(), ActionState::Delivered, "");
        tracing::info!(action = order.action, unit = order.unit, verb = order.verb.as_str(), "asking systemd");
        let units = self.clone();
        tokio::spawn(async move {
            match units.bus.carry_out(order.verb, &order.unit).await {
                Ok(()) => units.report(order.action, ActionState::Done, ""),
                Err(error) => units.report(order.action, ActionState::Failed, &error.to_string()),
            }
        });
    }

    fn report(&self, action: String, state: ActionState, message: &str) {
        self.journal.action(ActionReport { action, state, message: message.to_owned(), time: clock::wall() });
    }
}
