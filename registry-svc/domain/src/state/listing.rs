//! The state in pieces: what comes after a name, in the order of names, so
//! that a list can be given page by page while the state changes; and
//! everything that is there at one moment.

use super::State;
use crate::{Instance, Node, Process};
use process_model::{InstanceId, NodeName, ProcessName};
use std::ops::Bound;
use std::sync::Arc;

/// What is there at one moment. Values are shared with the state, which goes
/// on.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// The moment.
    pub revision: u64,
    /// Nodes by name, with the number of their instances.
    pub nodes: Vec<(Arc<Node>, usize)>,
    /// Processes by name.
    pub processes: Vec<Arc<Process>>,
    /// Instances by process and index.
    pub instances: Vec<Arc<Instance>>,
}

impl State {
    /// Everything that is there now.
    #[must_use]
    pub fn roster(&self) -> Roster {
        Roster {
            revision: self.meta.revision,
            nodes: self.nodes.values().map(|node| (node.clone(), self.load_of(&node.name))).collect(),
            processes: self.processes.values().cloned().collect(),
            instances: self.instances.values().cloned().collect(),
        }
    }

    /// Processes after a name; all without one.
    pub fn processes_after<'a>(
        &'a self,
        after: Option<&ProcessName>,
    ) -> impl Iterator<Item = &'a Arc<Process>> + use<'a> {
        self.processes.range((behind(after), Bound::Unbounded)).map(|(_, process)| process)
    }

    /// Instances after an id; all without one.
    pub fn instances_after<'a>(
        &'a self,
        after: Option<&InstanceId>,
    ) -> impl Iterator<Item = &'a Arc<Instance>> + use<'a> {
        self.instances.range((behind(after), Bound::Unbounded)).map(|(_, instance)| instance)
    }

    /// Instances on a node after an id; all of them without one.
    pub fn instances_on_after<'a>(
        &'a self,
        node: &NodeName,
        after: Option<&InstanceId>,
    ) -> impl Iterator<Item = &'a Arc<Instance>> + use<'a> {
        self.index.on_after(node, behind(after)).filter_map(|id| self.instances.get(id))
    }

    /// Nodes after a name; all without one.
    pub fn nodes_after<'a>(&'a self, after: Option<&NodeName>) -> impl Iterator<Item = &'a Arc<Node>> + use<'a> {
        self.nodes.range((behind(after), Bound::Unbounded)).map(|(_, node)| node)
    }
}

fn behind<K: Clone>(after: Option<&K>) -> Bound<K> {
    after.map_or(Bound::Unbounded, |key| Bound::Excluded(key.clone()))
}
