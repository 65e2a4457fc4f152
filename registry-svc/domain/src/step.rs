//! The one entrance. Order: repeated request? → check → change → audit →
//! remember the reply.

use crate::command::{Command, Order};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::reply::{Outcome, Reply};
use crate::{
    Refusal, State, actions, apply, audit, configure, dedupe, delete, level, members, nodes, refused, reports, restore,
    rollback, switch,
};

/// Decides one command. Deterministic: the same state and command give the
/// same outcome and the same next state, on every replica and for ever.
///
/// A refused command changes nothing but the audit log, which tells of it when
/// a user asked; it has no events.
pub fn step(state: &mut State, command: Command) -> Outcome {
    let Command { header, order } = command;
    let found = dedupe::find(state, &header);
    let mut draft = Draft::new(state, header);
    let reply = match found {
        dedupe::Found::Nothing => decide(&mut draft, &order).map(|decided| finish(&mut draft, decided)),
        dedupe::Found::Reply(reply) => Ok(reply),
        dedupe::Found::Conflict(refusal) => Err(refusal),
    };
    if let Err(refusal) = &reply {
        refused::command(&mut draft, &order, refusal);
    }
    draft.finish(reply)
}

/// Each topic checks everything before it changes anything, so that a refusal
/// leaves nothing behind.
fn decide(draft: &mut Draft<'_>, order: &Order) -> Result<Decided, Refusal> {
    restore::permits(draft, order)?;
    match order {
        Order::Configure(order) => configure::configure(draft, order),
        Order::Apply(order) => apply::apply(draft, order),
        Order::Delete { selectors } => delete::delete(draft, selectors),
        Order::Switch(order) => switch::switch(draft, order),
        Order::NodeConnected(hello) => Ok(nodes::connected(draft, hello.clone())),
        Order::NodeLost { node } => nodes::lost(draft, node),
        Order::Report(report) => reports::report(draft, report),
        Order::ActionsDelivered { node, actions } => actions::delivered(draft, node, actions),
        Order::Rollback(order) => rollback::rollback(draft, order),
        Order::RecordRefusals(denials) => Ok(refused::denials(draft, denials)),
        Order::MemberUp(order) => members::up(draft, order),
        Order::Enroll(order) => members::enroll(draft, order),
        Order::MemberGone(order) => members::gone(draft, order),
        Order::MemberNote(order) => Ok(members::note(draft, order)),
        Order::Restore(step) => restore::restore(draft, step),
        Order::Inventory(inventory) => restore::inventory(draft, inventory),
        Order::ConfirmRestore(order) => restore::confirm(draft, order),
        Order::SetLevel { level } => Ok(level::set(draft, *level)),
    }
}

fn finish(draft: &mut Draft<'_>, decided: Decided) -> Reply {
    if let Some(subject) = decided.audit {
        let number = audit::record(draft, subject);
        dedupe::remember(draft, number, &decided.reply);
    }
    decided.reply
}
