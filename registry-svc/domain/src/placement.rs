//! Which node an instance goes to: spread over the ready nodes, the one with
//! the fewest instances first, ties by name. An instance that has a node keeps
//! it.

use crate::draft::Draft;
use crate::{State, actions};
use process_model::{InstanceId, NodeName, event_type};
use std::cmp::Reverse;
use std::collections::BinaryHeap;

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
    if !state.meta.mode.acts() {
        // What waits for a node may run on one already, which will say so.
        return Vec::new();
    }
    let unplaced = state.index.unplaced();
    let mut nodes = state.index.ready().map(|(load, node)| (*load, node)).peekable();
    // Nodes that were given something already, with what they have now. Only
    // as many are looked at as instances wait.
    let mut given: BinaryHeap<Reverse<(usize, &NodeName)>> = BinaryHeap::new();
    let mut placements = Vec::with_capacity(unplaced.len());
    for instance in unplaced {
        let next = match (nodes.peek(), given.peek()) {
            (Some(fresh), Some(Reverse(used))) if fresh > used => given.pop().map(|Reverse(used)| used),
            (Some(_), _) => nodes.next(),
            (None, _) => given.pop().map(|Reverse(used)| used),
        };
        let Some((load, node)) = next else { break };
        placements.push(Placement { instance: instance.clone(), node: node.clone() });
        given.push(Reverse((load + 1, node)));
    }
    placements
}

/// Plans, and does it.
pub(crate) fn place(draft: &mut Draft<'_>) {
    let placements = plan(draft.state());
    if placements.is_empty() {
        return;
    }
    for Placement { instance: id, node } in placements {
        draft.change_instance(&id, |instance| instance.node = Some(node.clone()));
        actions::placed(draft, &id, &node);
        draft.emit_instance(event_type::INSTANCE_ASSIGNED, &id, format!("instance {id} was assigned to node {node}"));
    }
    debug_assert!(plan(draft.state()).is_empty(), "placement is not idempotent");
}
