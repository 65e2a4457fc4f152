//! What becomes of instances on a node that stays lost: kept, or placed
//! elsewhere after the time that their spec gives, as the leader counts it.
//!
//! ```text
//! node.lost ── replace_after; a singleton: at least lease + stop bound + margin ─▶ instance.replaced ─▶ placed
//! ```
//! The node that had it may run it still. When it returns before, it keeps what
//! it has; when it returns later, the newer copy counts: the full set that it
//! is told does not have the instance, and the older copy ends.

use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::placement::{self, Scope};
use crate::{Instance, Node, NodeState, Refusal, Seen, State, actions, limits, moving, rollout, runs};
use process_model::{ActionVerb, EventDetail, InstanceId, InstanceReport, NodeName, ProcessSpec, event_type};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What a lost node was left with: it may run it still, and tells of it when it
/// is back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// The node.
    pub node: NodeName,
    /// What it last said.
    pub seen: Seen,
}

/// So long after a node was declared lost the next instance on it is to be
/// placed elsewhere; `None`: none is, or nothing may be now.
#[must_use]
pub fn next(state: &State, name: &NodeName) -> Option<Duration> {
    if state.meta.brake.is_some() || !state.meta.mode.acts() {
        return None;
    }
    let node = state.nodes.get(name)?;
    state.instances_on(name).filter_map(|instance| patience(state, node, instance)).min()
}

/// So long an instance on a lost node is waited for; `None`: for ever.
fn patience(state: &State, node: &Node, instance: &Instance) -> Option<Duration> {
    let process = state.processes.get(&instance.id.process)?;
    let placement = process.spec.placement.as_deref().filter(|placement| !placement.daemon)?;
    let wanted = placement.replace_after.filter(|_| !instance.removing)?;
    if has_ended(state, &process.spec, instance) {
        return None;
    }
    match fence(state, instance) {
        None => Some(wanted),
        // A runner of an earlier version ends no singleton by itself.
        Some(fence) => node.fences.then(|| wanted.max(fence)),
    }
}

/// Whether it had done what it was for when its node was last heard, and nobody
/// has asked for more since: elsewhere it would do it a second time.
fn has_ended(state: &State, spec: &ProcessSpec, instance: &Instance) -> bool {
    let of_this = instance.seen.generation == 0 || instance.seen.generation >= instance.generation;
    of_this && moving::is_over_in(spec, instance, instance.seen.phase) && !is_awaited(state, &instance.id)
}

/// Whether somebody waits for it to be started.
fn is_awaited(state: &State, id: &InstanceId) -> bool {
    state.index.open_of(id).filter_map(|number| state.actions.get(&number)).any(|action| match action.verb {
        ActionVerb::Start | ActionVerb::Restart => true,
        ActionVerb::Stop | ActionVerb::Reload | ActionVerb::Signal => false,
    })
}

/// So long after its node was declared lost a copy may still run there. By the
/// longest of all specs that the node may have been told for it.
fn fence(state: &State, instance: &Instance) -> Option<Duration> {
    let told = state.history.of(&instance.id.process).rev().take_while(|one| one.generation >= instance.born);
    let current = state.processes.get(&instance.id.process).map(|process| &*process.spec);
    told.map(|one| &*one.spec).chain(current).filter_map(ProcessSpec::fence).max()
}

/// The leader has not heard of a node for so long since it was declared lost.
pub(crate) fn silent(draft: &mut Draft<'_>, name: &NodeName, silent: Duration, loss: u64) -> Result<Decided, Refusal> {
    let state = draft.state();
    let Some(node) = state.nodes.get(name).cloned() else {
        return Err(Refusal::UnknownNode(name.to_string()));
    };
    // It came back while this was on its way, or the brake was engaged.
    let is_meant = node.state == NodeState::Lost && node.losses == loss;
    if !is_meant || state.meta.brake.is_some() || !state.meta.mode.acts() {
        return Ok(Decided::noted(draft));
    }
    let is_over = |one: &&std::sync::Arc<Instance>| patience(state, &node, one).is_some_and(|after| after <= silent);
    let over: Vec<InstanceId> = state.instances_on(name).filter(is_over).map(|one| one.id.clone()).collect();
    for id in &over {
        leave(draft, id, name, silent);
    }
    rollout::advance_of(draft, &over);
    if !over.is_empty() {
        placement::settle(draft, Scope::Everything);
    }
    Ok(Decided::noted(draft))
}

/// Takes an instance from its node, as far as that is ours to do.
fn leave(draft: &mut Draft<'_>, id: &InstanceId, node: &NodeName, silent: Duration) {
    let now = draft.header.time;
    let words = format!("instance {id} is placed elsewhere: node {node} has been lost for {} s", silent.as_secs());
    draft.emit_instance(event_type::INSTANCE_REPLACED, id, words);
    runs::lose(draft, id, node);
    // What it had planned it may have begun, unheard.
    runs::keep_plan(draft, id, false);
    draft.change_instance(id, |instance| {
        let seen = std::mem::replace(&mut instance.seen, Seen::nothing(now));
        instance.left.retain(|left| left.node != *node);
        instance.left.push(Left { node: node.clone(), seen });
        if instance.left.len() > limits::LEFT_COPIES {
            instance.left.remove(0);
        }
        (instance.node, instance.lost_since) = (None, None);
        // The next node counts its reports anew.
        instance.handover.iter_mut().for_each(|handover| handover.seq = 0);
    });
    actions::unplaced(draft, id);
}

impl Instance {
    /// It goes to a node, by the placement that makes this token. A node that was left
    /// with it has it still: what it last said holds, until it says more.
    pub(crate) fn go_to(&mut self, node: &NodeName, token: Option<u64>) {
        if let Some(place) = self.left.iter().position(|left| left.node == *node) {
            self.seen = self.left.remove(place).seen;
        }
        self.node = Some(node.clone());
        self.token = token.unwrap_or(self.token);
    }
}

/// A node says something of a copy that it was left with: this is history, and
/// nothing of the instance as it is now. False: it was left with none.
pub(crate) fn said_of_left(draft: &mut Draft<'_>, node: &NodeName, report: &InstanceReport) -> bool {
    let id = &report.instance;
    let left = |instance: &Instance| {
        let elsewhere = instance.node.as_ref() != Some(node);
        instance.left.iter().position(|left| left.node == *node).filter(|_| elsewhere)
    };
    let Some(place) = draft.state().instances.get(id).and_then(|instance| left(instance)) else { return false };
    let news = draft.change_instance(id, |instance| {
        let known = instance.left.get_mut(place).filter(|left| report.seq > left.seen.seq);
        let news = known.map(|left| left.seen.seq = report.seq).is_some();
        if news && report.gone {
            instance.left.remove(place);
        }
        news
    });
    if news != Some(true) {
        return true;
    }
    let (kind, what) = match report.gone {
        true => (event_type::INSTANCE_LEFT_ENDED, "it is gone there"),
        false => (report.event_type.as_str(), report.message.as_str()),
    };
    draft.emit(Fact {
        kind: kind.to_owned(),
        time: Some(report.time),
        instance: Some(id.clone()),
        node: Some(node.clone()),
        message: format!("of the copy that node {node} was left with: {what}"),
        // Of the instance as it is, it says nothing.
        detail: None::<EventDetail>,
        ..Fact::default()
    });
    true
}
