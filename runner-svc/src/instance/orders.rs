//! Actions that are being carried out for an instance.

use crate::clock;
use crate::io::journal::Journal;
use process_model::{ActionReport, ActionState};
use runner_domain::{Machine, Order, Verdict, order};

#[derive(Debug, Default)]
pub(super) struct Orders {
    pending: Vec<Order>,
}

impl Orders {
    /// Takes an order in; one that is known already is not taken twice. True
    /// when it is new.
    pub(super) fn take(&mut self, order: Order, journal: &Journal) -> bool {
        if self.pending.iter().any(|known| known.action == order.action) {
            return false;
        }
        report(journal, &order, ActionState::Delivered, String::new());
        self.pending.push(order);
        true
    }

    /// Reports every order that the present state decides.
    pub(super) fn settle(&mut self, machine: &Machine, journal: &Journal) {
        self.pending.retain(|pending| match order::judge(pending, machine) {
            Verdict::Pending => true,
            Verdict::Done => {
                report(journal, pending, ActionState::Done, String::new());
                false
            }
            Verdict::Failed(why) => {
                report(journal, pending, ActionState::Failed, why);
                false
            }
        });
    }
}

fn report(journal: &Journal, order: &Order, state: ActionState, message: String) {
    journal.action(ActionReport { action: order.action.clone(), state, message, time: clock::wall() });
}
