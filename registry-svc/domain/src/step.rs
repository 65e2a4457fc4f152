//! The one entrance. Order: repeated request? → check → change → audit →
//! remember the reply.

use crate::command::{Command, Order};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::reply::{Outcome, Reply};
use crate::{
    Refusal, State, actions, apply, audit, configure, dedupe, delete, drains, invitations, level, members, nodes,
    order_once, refused, reports, restore, rollback, rollout, runs, switch, tick,
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
        Order::NodeConnected(hello) => Ok(nodes::connected(draft, hello.clone(), None)),
        Order::NodeLost { node } => nodes::lost(draft, node),
        Order::NodeSuspect { node } => nodes::suspect(draft, node),
        Order::NodeSilent { node, silent, loss } => nodes::replacement::silent(draft, node, *silent, *loss),
        Order::ReleaseBrake => Ok(nodes::brake::release(draft)),
        Order::Report(report) => reports::report(draft, report),
        Order::Runs(order) => runs::report(draft, order),
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
        Order::Tick => Ok(tick::tick(draft)),
        Order::Signal(order) => order_once::signal(draft, order),
        Order::ControlUnits(order) => order_once::units(draft, order),
        Order::MemberCertified(order) => members::certified(draft, order),
        Order::Invite(order) => invitations::invite(draft, order),
        Order::Admit(order) => invitations::admit(draft, order),
        Order::NodeArrived(one) => Ok(nodes::connected(draft, one.hello.clone(), Some(one.facts.clone()))),
        Order::SetSchedulable(order) => drains::schedulable(draft, order),
        Order::Drain(order) => drains::drain(draft, order),
        Order::LabelNode(order) => nodes::label(draft, order),
        Order::RemoveNode(order) => nodes::remove(draft, order),
        Order::PauseRollout { process } => rollout::pause(draft, process),
        Order::ResumeRollout { process } => rollout::resume(draft, process),
        Order::PromoteRollout { process } => rollout::promote(draft, process),
        Order::RollingRestart(order) => rollout::restart(draft, order),
        Order::Scale(order) => rollout::scale(draft, order),
    }
}

fn finish(draft: &mut Draft<'_>, decided: Decided) -> Reply {
    if let Some(subject) = decided.audit {
        let number = audit::record(draft, subject);
        dedupe::remember(draft, number, &decided.reply);
    }
    decided.reply
}
