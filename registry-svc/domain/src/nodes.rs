//! Nodes connect and fall silent. A silent node keeps its instances: they may
//! well be running.
//!
//! ```text
//! (unknown) ──connected──▶ ready ──lost──▶ lost ──connected──▶ ready
//! ```

use crate::audit::Subject;
use crate::command::NodeHello;
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::{Node, NodeState, Refusal, placement};
use process_model::{InstanceId, NodeName, event_type};

pub(crate) fn connected(draft: &mut Draft<'_>, hello: NodeHello) -> Decided {
    let now = draft.header.time;
    let known = draft.state().nodes().get(&hello.node).cloned();
    let was_ready = known.as_ref().is_some_and(|n| n.state == NodeState::Ready);
    let rebooted = known.as_ref().is_some_and(|n| n.boot_id != hello.boot_id);
    let node = Node {
        name: hello.node.clone(),
        state: NodeState::Ready,
        state_time: known.as_ref().filter(|_| was_ready).map_or(now, |n| n.state_time),
        boot_id: hello.boot_id,
        runner_version: hello.runner_version,
        cpus: hello.cpus,
        memory_bytes: hello.memory_bytes,
        created: known.as_ref().map_or(now, |n| n.created),
    };
    if known.as_deref() == Some(&node) {
        return Decided::noted(draft);
    }
    draft.put_node(node);
    if !was_ready {
        let message = match known {
            None => format!("node {} connected for the first time", hello.node),
            Some(_) => format!("node {} is back", hello.node),
        };
        emit(draft, event_type::NODE_READY, &hello.node, message);
        restore(draft, &hello.node, rebooted);
        placement::place(draft);
    }
    Decided { audit: Some(Subject::new("node-connected", [&hello.node])), ..Decided::noted(draft) }
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
    for id in lost {
        draft.change_instance(&id, |instance| instance.lost_since = None);
        draft.emit_instance(event_type::INSTANCE_RETURNED, &id, format!("node {node} of instance {id} is back"));
    }
}

pub(crate) fn lost(draft: &mut Draft<'_>, name: &NodeName) -> Result<Decided, Refusal> {
    let now = draft.header.time;
    let Some(node) = draft.state().nodes().get(name).cloned() else {
        return Err(Refusal::UnknownNode(name.to_string()));
    };
    match node.state {
        NodeState::Lost => return Ok(Decided::noted(draft)),
        NodeState::Ready => {
            draft.put_node(Node { state: NodeState::Lost, state_time: now, ..Node::clone(&node) });
        }
    }
    emit(draft, event_type::NODE_LOST, name, format!("node {name} has been silent for its whole lease"));
    let instances: Vec<InstanceId> =
        (draft.state().instances_on(name)).filter(|i| i.lost_since.is_none()).map(|i| i.id.clone()).collect();
    for id in instances {
        draft.change_instance(&id, |instance| instance.lost_since = Some(now));
        draft.emit_instance(event_type::INSTANCE_LOST, &id, format!("node {name} of instance {id} is silent"));
    }
    Ok(Decided { audit: Some(Subject::new("node-lost", [name])), ..Decided::noted(draft) })
}

fn emit(draft: &mut Draft<'_>, kind: &str, node: &NodeName, message: String) {
    draft.emit(Fact { kind: kind.to_owned(), node: Some(node.clone()), message, ..Fact::default() });
}
