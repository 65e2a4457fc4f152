//! Which node an instance goes to: spread over the ready nodes, the one with
//! the fewest instances first, ties by name. An instance that has a node keeps
//! it.

use crate::draft::Draft;
use crate::{NodeState, State, actions};
use process_model::{InstanceId, NodeName, event_type};
use std::collections::{BTreeMap, BTreeSet};

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The instance.
    pub instance: InstanceId,
    /// Where it goes.
    pub node: NodeName,
}

/// Where every instance without a node goes. A function: planning again over
/// its own result decides nothing.
#[must_use]
pub fn plan(state: &State) -> Vec<Placement> {
    let unplaced: Vec<&InstanceId> =
        state.instances.values().filter(|i| i.node.is_none() && !i.removing).map(|i| &i.id).collect();
    if unplaced.is_empty() {
        return Vec::new();
    }
    let mut load: BTreeMap<&NodeName, usize> =
        state.nodes.values().filter(|n| n.state == NodeState::Ready).map(|n| (&n.name, 0)).collect();
    for node in state.instances.values().filter_map(|i| i.node.as_ref()) {
        if let Some(count) = load.get_mut(node) {
            *count += 1;
        }
    }
    let mut queue: BTreeSet<(usize, &NodeName)> = load.into_iter().map(|(node, count)| (count, node)).collect();
    let mut placements = Vec::with_capacity(unplaced.len());
    for instance in unplaced {
        let Some((count, node)) = queue.pop_first() else { break };
        placements.push(Placement { instance: instance.clone(), node: node.clone() });
        queue.insert((count + 1, node));
    }
    placements
}

/// Plans, and does it.
pub(crate) fn place(draft: &mut Draft<'_>) {
    let placements = plan(draft.state());
    if placements.is_empty() {
        return;
    }
    let open = actions::open_by_instance(draft);
    for Placement { instance: id, node } in placements {
        if let Some(instance) = draft.instance_mut(&id) {
            instance.node = Some(node.clone());
        }
        if let Some(open) = open.get(&id) {
            actions::placed(draft, open, &node);
        }
        draft.emit_instance(event_type::INSTANCE_ASSIGNED, &id, format!("instance {id} was assigned to node {node}"));
    }
    draft.orders_change();
    debug_assert!(plan(draft.state()).is_empty(), "placement is not idempotent");
}
