//! The life of an action: queued → delivered → done | failed | expired. It only moves
//! forward; a repeated or late word about it changes nothing.

use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::{Refusal, action_id, action_number, limits};
use process_model::spec::Signal;
use process_model::{
    Action, ActionReport, ActionState, ActionTarget, ActionVerb, EventDetail, InstanceId, NodeName, event_type,
};
use std::time::Duration;

/// What an action does, before it is one.
pub(crate) struct Wish<'a> {
    pub(crate) verb: ActionVerb,
    pub(crate) signal: Option<Signal>,
    pub(crate) stop_timeout: Option<Duration>,
    pub(crate) traceparent: &'a str,
}

/// Queues an action for an instance and returns its number.
pub(crate) fn queue(draft: &mut Draft<'_>, wish: &Wish<'_>, id: &InstanceId) -> Option<u64> {
    let (node, restart_count) = draft.state().instances().get(id).map(|i| (i.node.clone(), i.restart_count))?;
    let number = put(draft, wish, ActionTarget::Instance(id.clone()), node.clone(), restart_count);
    // Nothing runs where nothing was placed: such a stop is complete.
    if wish.verb == ActionVerb::Stop && node.is_none() {
        advance(draft, number, ActionState::Done, "the instance is not on any node", None);
    }
    Some(number)
}

/// Queues an action for a unit of a node and returns its number.
pub(crate) fn queue_for_unit(draft: &mut Draft<'_>, wish: &Wish<'_>, node: &NodeName, unit: &str) -> u64 {
    put(draft, wish, ActionTarget::Unit(unit.to_owned()), Some(node.clone()), 0)
}

fn put(
    draft: &mut Draft<'_>,
    wish: &Wish<'_>,
    target: ActionTarget,
    node: Option<NodeName>,
    restart_count: u64,
) -> u64 {
    let number = draft.next_revision();
    let header = draft.header.clone();
    let is_edge = wish.verb.is_edge() || target.instance().is_none();
    let life = if is_edge { limits::EDGE_LIFE } else { limits::ACTION_LIFE };
    let action = Action {
        id: action_id(number),
        verb: wish.verb,
        target,
        node,
        state: ActionState::Queued,
        message: String::new(),
        created: header.time,
        updated: header.time,
        actor: header.actor,
        reason: header.reason,
        stop_timeout: wish.stop_timeout,
        restart_count,
        traceparent: wish.traceparent.to_owned(),
        // Those who do not know it yet would not let it expire.
        expires: (draft.state().meta().level() >= 3).then(|| header.time.plus(life)),
        signal: wish.signal,
    };
    draft.put_action(number, action);
    emit(draft, number, None);
    number
}

/// Moves an action forward; `false` when it was there already or beyond.
pub(crate) fn advance(
    draft: &mut Draft<'_>,
    number: u64,
    to: ActionState,
    message: &str,
    time: Option<process_model::Timestamp>,
) -> bool {
    let now = time.unwrap_or(draft.header.time);
    let Some(current) = draft.state().actions.get(&number) else { return false };
    if current.state.is_final() || to <= current.state {
        return false;
    }
    draft.change_action(number, |action| {
        action.state = to;
        action.updated = now;
        action.message = message.to_owned();
    });
    emit(draft, number, time);
    forget_oldest(draft);
    true
}

fn emit(draft: &mut Draft<'_>, number: u64, time: Option<process_model::Timestamp>) {
    let Some(action) = draft.state().actions.get(&number).cloned() else { return };
    let kind = match action.state {
        ActionState::Queued => event_type::ACTION_QUEUED,
        ActionState::Delivered => event_type::ACTION_DELIVERED,
        ActionState::Done => event_type::ACTION_DONE,
        ActionState::Failed => event_type::ACTION_FAILED,
        ActionState::Expired => event_type::ACTION_EXPIRED,
    };
    let mut message = format!("{} of {} is {}", action.verb.as_str(), action.target, action.state.as_str());
    if !action.message.is_empty() {
        message = format!("{message}: {}", action.message);
    }
    draft.emit(Fact {
        kind: kind.to_owned(),
        time,
        instance: action.target.instance().cloned(),
        node: action.node.clone(),
        message,
        detail: Some(EventDetail::Action(Box::new(Action::clone(&action)))),
        ..Fact::default()
    });
}

/// Its time is over, and nobody has said what became of it. What is wanted of
/// the instance stands: a node that comes back does it then.
pub(crate) fn expired(draft: &mut Draft<'_>, number: u64) {
    let Some(action) = draft.state().actions.get(&number) else { return };
    let why = match (action.state, &action.node) {
        (ActionState::Queued, Some(node)) => format!("node {node} has not taken it up"),
        (ActionState::Queued, None) => format!("{} is on no node", action.target),
        (_, Some(node)) => format!("node {node} has not said what became of it"),
        (_, None) => "nobody has said what became of it".to_owned(),
    };
    advance(draft, number, ActionState::Expired, &why, None);
}

/// Actions that are over are kept for a while; the oldest go first.
fn forget_oldest(draft: &mut Draft<'_>) {
    let finished = draft.state().index.finished();
    if finished.len() > limits::FINISHED_ACTIONS
        && let Some(oldest) = finished.first().copied()
    {
        draft.remove_action(oldest);
    }
}

/// What waits at an instance, oldest first.
fn open_of(draft: &Draft<'_>, id: &InstanceId) -> Vec<u64> {
    draft.state().index.open_of(id).collect()
}

/// Ends what waits at an instance because a newer order makes it moot. What
/// its node already has is left to the node to finish.
pub(crate) fn supersede(draft: &mut Draft<'_>, id: &InstanceId, verb: ActionVerb) {
    for number in open_of(draft, id) {
        let moot = |action: &Action| action.state == ActionState::Queued && makes_moot(verb, action.verb);
        if draft.state().actions.get(&number).is_some_and(|action| moot(action)) {
            let why = format!("a later {} takes its place", verb.as_str());
            advance(draft, number, ActionState::Failed, &why, None);
        }
    }
}

/// Whether after a later order an earlier one need not be carried out. A
/// reload says nothing of whether the instance should run, so it takes the
/// place of another reload only.
fn makes_moot(later: ActionVerb, earlier: ActionVerb) -> bool {
    match later {
        ActionVerb::Start | ActionVerb::Stop | ActionVerb::Restart => true,
        ActionVerb::Reload => earlier == ActionVerb::Reload,
        // Two signals are two.
        ActionVerb::Signal => false,
    }
}

/// Ends what waits at an instance that is no more. Its stop has happened.
pub(crate) fn close_for_removed(draft: &mut Draft<'_>, id: &InstanceId) {
    let moves = draft.state().instances().get(id).is_some_and(|instance| instance.moving.is_some());
    for number in open_of(draft, id) {
        let Some(verb) = draft.state().actions.get(&number).map(|action| action.verb) else { continue };
        match verb {
            ActionVerb::Stop => advance(draft, number, ActionState::Done, "the instance was removed", None),
            // It is started where it goes.
            ActionVerb::Start | ActionVerb::Restart if moves => {
                draft.change_action(number, |action| action.node = None);
                true
            }
            ActionVerb::Start | ActionVerb::Restart | ActionVerb::Reload | ActionVerb::Signal => {
                advance(draft, number, ActionState::Failed, "the instance was removed", None)
            }
        };
    }
}

/// Gives the actions that waited for an instance to be placed their node.
pub(crate) fn placed(draft: &mut Draft<'_>, id: &InstanceId, node: &NodeName) {
    for number in open_of(draft, id) {
        draft.change_action(number, |action| action.node = Some(node.clone()));
    }
}

/// Their instance has no node any more; whichever it gets next carries them out.
pub(crate) fn unplaced(draft: &mut Draft<'_>, id: &InstanceId) {
    for number in open_of(draft, id) {
        draft.change_action(number, |action| action.node = None);
    }
}

/// The node has these actions.
pub(crate) fn delivered(draft: &mut Draft<'_>, node: &NodeName, ids: &[String]) -> Result<Decided, Refusal> {
    if !draft.state().nodes().contains_key(node) {
        return Err(Refusal::UnknownNode(node.to_string()));
    }
    for number in ids.iter().filter_map(|id| action_number(id)) {
        if draft.state().actions.get(&number).is_some_and(|a| a.node.as_ref() == Some(node)) {
            advance(draft, number, ActionState::Delivered, "", None);
        }
    }
    Ok(Decided::noted(draft))
}

/// What a node says of an action of its own.
pub(crate) fn reported(draft: &mut Draft<'_>, node: &NodeName, report: &ActionReport) {
    let Some(number) = action_number(&report.action) else { return };
    if draft.state().actions.get(&number).is_some_and(|a| a.node.as_ref() == Some(node)) {
        advance(draft, number, report.state, &report.message, Some(report.time));
    }
}
