//! Who waits for a node, in which order, and where each goes.

use super::Board;
use crate::State;
use process_model::{InstanceId, NodeName, ProcessName};
use std::collections::BTreeMap;

/// One decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// The instance.
    pub instance: InstanceId,
    /// Where it goes.
    pub node: NodeName,
}

/// What has changed since nobody could be placed any more, and so what has to
/// be looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Scope<'a> {
    /// Perhaps all of it.
    Everything,
    /// One node has more room, or is there.
    Node(&'a NodeName),
    /// These processes want more.
    Processes(&'a [ProcessName]),
}

/// Where every instance without a node goes. A function: planning again over
/// its own result decides nothing.
#[must_use]
pub fn plan(state: &State) -> Vec<Placed> {
    plan_within(state, Scope::Everything)
}

pub(super) fn plan_within(state: &State, scope: Scope<'_>) -> Vec<Placed> {
    let unplaced = state.index.unplaced();
    // What waits for a node may run on one already, which will say so.
    if unplaced.is_empty() || !state.meta.mode.acts() {
        return Vec::new();
    }
    let mut board = Board::new(state);
    let waiting = match scope {
        Scope::Everything => groups(unplaced.iter()),
        Scope::Node(node) => {
            board = Board::of_node(state, node);
            groups(unplaced.iter())
        }
        Scope::Processes(names) => groups(names.iter().flat_map(|name| unplaced.range(InstanceId::all_of(name)))),
    };
    let mut placed = Vec::new();
    for (process, instances) in waiting {
        let nodes = board.seat(process, instances.len());
        let pairs = instances.into_iter().zip(nodes);
        placed.extend(pairs.map(|(id, node)| Placed { instance: id.clone(), node: node.clone() }));
    }
    placed
}

/// Instances by process, in order.
pub(crate) fn groups<'a>(
    instances: impl Iterator<Item = &'a InstanceId>,
) -> BTreeMap<&'a ProcessName, Vec<&'a InstanceId>> {
    let mut groups: BTreeMap<&ProcessName, Vec<&InstanceId>> = BTreeMap::new();
    for id in instances {
        groups.entry(&id.process).or_default().push(id);
    }
    groups
}
