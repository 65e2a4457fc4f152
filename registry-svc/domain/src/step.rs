//! The one entrance. Order: repeated request? → check → change → audit →
//! remember the reply.

use crate::command::{Command, Order};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::reply::{Outcome, Reply};
use crate::{Refusal, State, actions, apply, audit, configure, dedupe, delete, nodes, reports, switch};
use std::collections::BTreeSet;

/// Decides one command. Deterministic: the same state and command give the
/// same outcome and the same next state, on every replica and for ever.
///
/// A refused command leaves the state as it was, and touches
/// nothing.
pub fn step(state: &mut State, command: Command) -> Outcome {
    let Command { header, order } = command;
    match dedupe::find(state, &header) {
        dedupe::Found::Nothing => {}
        dedupe::Found::Reply(reply) => return Outcome::unchanged(Ok(reply)),
        dedupe::Found::Conflict(refusal) => return Outcome::unchanged(Err(refusal)),
    }
    let mut draft = Draft::new(state, header);
    // Each topic checks everything before it changes anything, so that a
    // refusal leaves nothing behind.
    let decided = match order {
        Order::Configure(order) => configure::configure(&mut draft, order),
        Order::Apply(order) => apply::apply(&mut draft, &order),
        Order::Delete { selectors } => delete::delete(&mut draft, &selectors),
        Order::Switch(order) => switch::switch(&mut draft, &order),
        Order::NodeConnected(hello) => Ok(nodes::connected(&mut draft, hello)),
        Order::NodeLost { node } => nodes::lost(&mut draft, &node),
        Order::Report(report) => reports::report(&mut draft, &report),
        Order::ActionsDelivered { node, actions } => actions::delivered(&mut draft, &node, &actions),
    };
    let reply = match decided {
        Ok(decided) => finish(&mut draft, decided),
        Err(refusal) => return Outcome::unchanged(Err(refusal)),
    };
    draft.finish(reply)
}

fn finish(draft: &mut Draft<'_>, decided: Decided) -> Reply {
    if let Some(subject) = decided.audit {
        let number = audit::record(draft, subject);
        dedupe::remember(draft, number, &decided.reply);
    }
    decided.reply
}

impl Outcome {
    fn unchanged(reply: Result<Reply, Refusal>) -> Self {
        Self { reply, events: Vec::new(), touched: Vec::new(), orders: BTreeSet::new() }
    }
}
