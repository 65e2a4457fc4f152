//! The newest samples that are still true.
//!
//! In: history, inventory, selectors. Out: one sample per instance, and those
//! of nodes. What its node measured no more does not run: showing its last
//! processor share would be wrong, so it is left out. What nobody knows (the
//! node is away, or back without a measurement) is shown with the time at
//! which it was true.

use crate::history::History;
use crate::inventory::Inventory;
use process_model::{InstanceId, InstanceSample, NodeName, NodeSample, Selector};
use std::collections::BTreeSet;

/// Newest samples.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Latest {
    /// Of instances, ordered by id.
    pub instances: Vec<InstanceSample>,
    /// Of nodes, ordered by name.
    pub nodes: Vec<NodeSample>,
}

/// The newest samples of the selected instances and of their nodes. Without
/// selectors: of everything.
#[must_use]
pub fn latest(history: &History, inventory: &Inventory, selectors: &[Selector]) -> Latest {
    let selected =
        |id: &&InstanceId| selectors.is_empty() || selectors.iter().any(|selector| selector.selects_instance(id));
    let instances: Vec<InstanceSample> =
        history.instances().filter(selected).filter_map(|id| newest(history, inventory, id)).collect();
    let on: BTreeSet<&NodeName> = instances.iter().map(|sample| &sample.node).collect();
    let nodes = history.latest_nodes().filter(|node| selectors.is_empty() || on.contains(&node.node)).collect();
    Latest { nodes, instances }
}

fn newest(history: &History, inventory: &Inventory, id: &InstanceId) -> Option<InstanceSample> {
    let nodes = history.nodes_of(id);
    let runs = nodes.iter().find(|node| inventory.runs(id, node) == Some(true));
    let unknown = || nodes.iter().find(|node| inventory.runs(id, node).is_none());
    history.latest_instance(id, runs.or_else(unknown)?)
}
