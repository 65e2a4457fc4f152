//! The state in pieces: what comes after a name, in the order of names, so
//! that a list can be given page by page while the state changes; and
//! everything that is there at one moment.

use super::State;
use crate::{Instance, Node, Process, drains};
use process_model::{InstanceId, NodeName, ProcessName};
use std::ops::Bound;
use std::sync::Arc;

/// What is there at one moment. Values are shared with the state, which goes
/// on.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// The moment.
    pub revision: u64,
    /// Nodes by name, with what is on them.
    pub nodes: Vec<(Arc<Node>, Usage)>,
    /// Processes by name.
    pub processes: Vec<Arc<Process>>,
    /// Instances by process and index.
    pub instances: Vec<Arc<Instance>>,
}

/// What is on a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Instances, those being removed included.
    pub instances: usize,
    /// Thousandths of a CPU that they reserve.
    pub reserved_cpu_millis: u64,
    /// Bytes of memory that they reserve.
    pub reserved_memory: u64,
    /// While it is being drained: instances that have yet to leave.
    pub left: usize,
}

impl State {
    /// What is on a node.
    #[must_use]
    pub fn usage_of(&self, node: &Node) -> Usage {
        let (reserved_cpu_millis, reserved_memory) = self.index.reserved(&node.name);
        let left = if node.drain.is_some() { drains::left_on(self, &node.name) } else { 0 };
        Usage { instances: self.load_of(&node.name), reserved_cpu_millis, reserved_memory, left }
    }

    /// Everything that is there now.
    #[must_use]
    pub fn roster(&self) -> Roster {
        Roster {
            revision: self.meta.revision,
            nodes: self.nodes.values().map(|node| (node.clone(), self.usage_of(node))).collect(),
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
