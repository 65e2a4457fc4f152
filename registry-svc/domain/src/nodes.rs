//! Nodes connect and fall silent. A silent node keeps its instances: they may
//! well be running.
//!
//! ```text
//! (unknown) ──connected──▶ ready ──half its lease silent──▶ suspect ──all of it──▶ lost ──removed──▶ (unknown)
//!                            ▲                                 │                     │
//!                            └────────── connected ────────────┴─────────────────────┘
//! ```
//! A suspect node gets nothing new. One that was lost again and again gets
//! nothing new either, until it has been steady for a while. What a lost node
//! has is placed elsewhere as its spec says (`replacement`), unless many were
//! lost at once (`brake`).

pub(crate) mod brake;
pub mod replacement;

pub use brake::Brake;
pub use replacement::Left;

mod label;
mod remove;

pub(crate) use label::label;
pub(crate) use remove::remove;

use crate::audit::{Account, Subject};
use crate::command::NodeHello;
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::placement::{self, Scope};
use crate::{Node, NodeFacts, NodeState, Refusal, rollout};
use process_model::change::FieldChange;
use process_model::{InstanceId, NodeName, Timestamp, event_type};
use std::collections::BTreeMap;
use std::time::Duration;

/// Lost so often within [`FLAPPING`], a node is held.
const LOSSES: usize = 3;
/// The time in which losses are counted.
const FLAPPING: Duration = Duration::from_secs(10 * 60);
/// So long it has to be steady then before it gets something new.
const STEADY: Duration = Duration::from_secs(2 * 60);

/// The level from which on a node is more than ready or lost.
const LEVEL: u16 = 3;

/// `facts`: what it says beyond that; `None`: as before.
pub(crate) fn connected(draft: &mut Draft<'_>, hello: NodeHello, facts: Option<NodeFacts>) -> Decided {
    let now = draft.header.time;
    let known = draft.state().nodes().get(&hello.node).cloned();
    let was = known.as_ref().map(|n| n.state);
    let was_ready = was == Some(NodeState::Ready);
    let rebooted = known.as_ref().is_some_and(|n| n.boot_id != hello.boot_id);
    let mut node = Node {
        name: hello.node.clone(),
        state: NodeState::Ready,
        state_time: known.as_ref().filter(|_| was_ready).map_or(now, |n| n.state_time),
        boot_id: hello.boot_id,
        runner_version: hello.runner_version,
        cpus: hello.cpus,
        memory_bytes: hello.memory_bytes,
        created: known.as_ref().map_or(now, |n| n.created),
        losses: known.as_ref().map_or(0, |n| n.losses),
        lost_at: known.as_ref().map(|n| n.lost_at.clone()).unwrap_or_default(),
        held_until: known.as_ref().and_then(|n| n.held_until),
        fences: hello.fences,
        facts: facts.or_else(|| known.as_ref().map(|n| n.facts.clone())).unwrap_or_default(),
        set_labels: known.as_ref().map_or_else(BTreeMap::new, |n| n.set_labels.clone()),
        cordoned: known.as_ref().is_some_and(|n| n.cordoned),
        drain: known.as_ref().and_then(|n| n.drain.clone()),
    };
    if was == Some(NodeState::Lost) {
        node.hold_if_flapping(now);
    }
    if known.as_deref() == Some(&node) {
        return Decided::noted(draft);
    }
    let held = node.held_until.map(|_| node.lost_at.len());
    draft.put_node(node);
    let message = match was {
        Some(NodeState::Ready) => None,
        None => Some(format!("node {} connected for the first time", hello.node)),
        Some(NodeState::Suspect) => Some(format!("node {} is heard again", hello.node)),
        Some(NodeState::Lost) => Some(match held {
            None => format!("node {} is back", hello.node),
            Some(times) => format!(
                "node {} is back; it was lost {times} times in {} minutes, and gets nothing new before it has been \
                 steady for {} s",
                hello.node,
                FLAPPING.as_secs() / 60,
                STEADY.as_secs()
            ),
        }),
    };
    if let Some(message) = message {
        emit(draft, event_type::NODE_READY, &hello.node, message);
        restore(draft, &hello.node, rebooted);
        brake::fewer_lost(draft);
    }
    placement::settle(draft, Scope::Node(&hello.node));
    let audit = match was {
        // It was heard in time: nothing that anybody would ask for in the audit log.
        Some(NodeState::Suspect) => None,
        None | Some(NodeState::Ready | NodeState::Lost) => Some(Subject::new("node-connected", [&hello.node])),
    };
    Decided { audit, ..Decided::noted(draft) }
}

impl Node {
    /// Whether something new may be placed on it, as far as its silences go.
    #[must_use]
    pub fn is_steady(&self) -> bool {
        self.state == NodeState::Ready && self.held_until.is_none()
    }

    /// When it has to be looked at: it has been steady by then. A silent one is looked at when it is back.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.held_until.filter(|_| self.state == NodeState::Ready)
    }

    fn note_loss(&mut self, now: Timestamp) {
        self.losses += 1;
        let window = i64::try_from(FLAPPING.as_nanos()).unwrap_or(i64::MAX);
        let from = Timestamp(now.0.saturating_sub(window));
        self.lost_at.retain(|at| *at > from);
        self.lost_at.push(now);
        // More do not count more.
        let surplus = self.lost_at.len().saturating_sub(LOSSES);
        self.lost_at.drain(..surplus);
    }

    fn hold_if_flapping(&mut self, now: Timestamp) {
        let window = i64::try_from(FLAPPING.as_nanos()).unwrap_or(i64::MAX);
        let from = Timestamp(now.0.saturating_sub(window));
        let lately = self.lost_at.iter().filter(|at| **at > from).count();
        self.held_until = (lately >= LOSSES).then(|| now.plus(STEADY));
    }
}

/// A node has been steady for long enough: it gets something again.
pub(crate) fn steady(draft: &mut Draft<'_>, name: &NodeName) {
    let now = draft.header.time;
    let Some(node) = draft.state().nodes().get(name).filter(|node| node.due().is_some_and(|due| due <= now)) else {
        return;
    };
    let node = Node { held_until: None, ..Node::clone(node) };
    draft.put_node(node);
    emit(draft, event_type::NODE_READY, name, format!("node {name} has been steady, and gets instances again"));
    placement::settle(draft, Scope::Node(name));
}

/// What was seen of the instances of a node that was silent holds again, as
/// the same boot goes on; what differs, the node reports. After a reboot only
/// what was at rest is still so; the rest stays lost until it is reported.
fn restore(draft: &mut Draft<'_>, node: &NodeName, rebooted: bool) {
    let lost: Vec<InstanceId> = (draft.state().instances_on(node))
        .filter(|i| i.lost_since.is_some())
        .filter(|i| !rebooted || i.seen.phase.is_at_rest())
        .map(|i| i.id.clone())
        .collect();
    for id in &lost {
        draft.change_instance(id, |instance| instance.lost_since = None);
        draft.emit_instance(event_type::INSTANCE_RETURNED, id, format!("node {node} of instance {id} is back"));
    }
    rollout::advance_of(draft, &lost);
}

/// Half of its lease is over. What runs on it is not touched.
pub(crate) fn suspect(draft: &mut Draft<'_>, name: &NodeName) -> Result<Decided, Refusal> {
    let now = draft.header.time;
    let Some(node) = draft.state().nodes().get(name).cloned() else {
        return Err(Refusal::UnknownNode(name.to_string()));
    };
    match node.state {
        NodeState::Suspect | NodeState::Lost => {}
        NodeState::Ready => {
            draft.put_node(Node { state: NodeState::Suspect, state_time: now, ..Node::clone(&node) });
            let message = format!("node {name} has been silent for half of its lease, and gets nothing new");
            emit(draft, event_type::NODE_SUSPECT, name, message);
        }
    }
    Ok(Decided::noted(draft))
}

pub(crate) fn lost(draft: &mut Draft<'_>, name: &NodeName) -> Result<Decided, Refusal> {
    let now = draft.header.time;
    let Some(node) = draft.state().nodes().get(name).cloned() else {
        return Err(Refusal::UnknownNode(name.to_string()));
    };
    // Before it no replica had any of what follows from a loss.
    let counts = draft.state().meta().level() >= LEVEL;
    match node.state {
        NodeState::Lost => return Ok(Decided::noted(draft)),
        NodeState::Ready | NodeState::Suspect => {
            let mut lost = Node { state: NodeState::Lost, state_time: now, ..Node::clone(&node) };
            if counts {
                lost.note_loss(now);
            }
            draft.put_node(lost);
        }
    }
    emit(draft, event_type::NODE_LOST, name, format!("node {name} has been silent for its whole lease"));
    let instances: Vec<InstanceId> =
        (draft.state().instances_on(name)).filter(|i| i.lost_since.is_none()).map(|i| i.id.clone()).collect();
    for id in &instances {
        draft.change_instance(id, |instance| instance.lost_since = Some(now));
        draft.emit_instance(event_type::INSTANCE_LOST, id, format!("node {name} of instance {id} is silent"));
    }
    if counts {
        brake::lost_one(draft);
    }
    rollout::advance_of(draft, &instances);
    Ok(Decided { audit: Some(Subject::new("node-lost", [name])), ..Decided::noted(draft) })
}

/// A node that somebody names.
pub(crate) fn known(draft: &Draft<'_>, name: &NodeName) -> Result<Node, Refusal> {
    let node = draft.state().nodes().get(name).map(|node| Node::clone(node));
    node.ok_or_else(|| Refusal::UnknownNode(name.to_string()))
}

/// What a request changed of a node, for the audit log, which has the node in
/// the place of a process there.
pub(crate) fn changed<'a>(
    node: &NodeName,
    fields: impl IntoIterator<Item = (&'a str, Option<String>, Option<String>)>,
) -> Account {
    let field =
        |(path, before, after): (&str, _, _)| FieldChange { path: path.to_owned(), before, after, hidden: false };
    let mut account = Account::default();
    // Both names are made of the same letters.
    if let Ok(name) = node.as_str().parse() {
        account.changed(&name, fields.into_iter().map(field).filter(|field| field.before != field.after).collect());
    }
    account
}

pub(crate) fn emit(draft: &mut Draft<'_>, kind: &str, node: &NodeName, message: String) {
    draft.emit(Fact { kind: kind.to_owned(), node: Some(node.clone()), message, ..Fact::default() });
}
