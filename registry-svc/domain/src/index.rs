//! What is found without looking through everything: which instances and open
//! actions a node has, who waits for a node, which node has the least to do.
//! Enters: each change of an instance, node or action, as it was and as it is.
//! Made from the rows alone, so it is in no row; [`crate::invariants`]
//! compares it with a look through everything.

use crate::{Instance, Node, NodeState};
use process_model::{Action, InstanceId, NodeName, Phase};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// What is found quickly.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Index {
    nodes: BTreeMap<NodeName, OnNode>,
    /// Ready nodes, the one with the fewest instances first, ties by name.
    by_load: BTreeSet<(usize, NodeName)>,
    /// Instances without a node.
    unplaced: BTreeSet<InstanceId>,
    phases: BTreeMap<Phase, usize>,
    open: BTreeMap<InstanceId, BTreeSet<u64>>,
    open_count: usize,
    /// Actions that are over, the oldest first.
    finished: BTreeSet<u64>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct OnNode {
    ready: bool,
    instances: BTreeSet<InstanceId>,
    open: BTreeSet<u64>,
}

/// What the index knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    node: Option<NodeName>,
    phase: Phase,
}

/// What the index knows of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    instance: InstanceId,
    node: Option<NodeName>,
    open: bool,
}

impl From<&Instance> for Spot {
    fn from(instance: &Instance) -> Self {
        Self { node: instance.node.clone(), phase: instance.phase() }
    }
}

impl From<&Action> for Turn {
    fn from(action: &Action) -> Self {
        Self { instance: action.instance.clone(), node: action.node.clone(), open: !action.state.is_final() }
    }
}

impl Index {
    /// An instance was at one spot and is at another; `None`: it is not there.
    pub(crate) fn instance(&mut self, id: &InstanceId, was: Option<Spot>, is: Option<Spot>) {
        if was == is {
            return;
        }
        if let Some(was) = was {
            self.count(was.phase, false);
            match was.node {
                Some(node) => self.on_node(&node, |on| on.instances.remove(id)),
                None => self.unplaced.remove(id),
            };
        }
        if let Some(is) = is {
            self.count(is.phase, true);
            match is.node {
                Some(node) => self.on_node(&node, |on| on.instances.insert(id.clone())),
                None => self.unplaced.insert(id.clone()),
            };
        }
    }

    /// A node is there.
    pub(crate) fn node(&mut self, node: &Node) {
        let ready = node.state == NodeState::Ready;
        self.on_node(&node.name, |on| std::mem::replace(&mut on.ready, ready) != ready);
    }

    /// An action was in one state and is in another; `None`: it is not there.
    pub(crate) fn action(&mut self, number: u64, was: Option<Turn>, is: Option<Turn>) {
        if was == is {
            return;
        }
        match was {
            Some(was) if was.open => {
                self.open_count -= 1;
                if let Some(open) = self.open.get_mut(&was.instance) {
                    open.remove(&number);
                    if open.is_empty() {
                        self.open.remove(&was.instance);
                    }
                }
                if let Some(node) = was.node {
                    self.on_node(&node, |on| on.open.remove(&number));
                }
            }
            Some(_) => {
                self.finished.remove(&number);
            }
            None => {}
        }
        match is {
            Some(is) if is.open => {
                self.open_count += 1;
                self.open.entry(is.instance).or_default().insert(number);
                if let Some(node) = is.node {
                    self.on_node(&node, |on| on.open.insert(number));
                }
            }
            Some(_) => {
                self.finished.insert(number);
            }
            None => {}
        }
    }

    fn count(&mut self, phase: Phase, one_more: bool) {
        let count = self.phases.entry(phase).or_default();
        if one_more {
            *count += 1;
        } else {
            *count = count.saturating_sub(1);
        }
        if *count == 0 {
            self.phases.remove(&phase);
        }
    }

    /// Changes what is known of a node, and its place among the others;
    /// whether something is different then.
    fn on_node(&mut self, name: &NodeName, change: impl FnOnce(&mut OnNode) -> bool) -> bool {
        let on = self.nodes.entry(name.clone()).or_default();
        let was = on.ready.then_some(on.instances.len());
        let changed = change(on);
        let is = on.ready.then_some(on.instances.len());
        if *on == OnNode::default() {
            self.nodes.remove(name);
        }
        if was != is {
            was.map(|load| self.by_load.remove(&(load, name.clone())));
            is.map(|load| self.by_load.insert((load, name.clone())));
        }
        changed
    }

    /// Instances on a node, those being removed included.
    pub(crate) fn on(&self, node: &NodeName) -> impl Iterator<Item = &InstanceId> + use<'_> {
        self.nodes.get(node).into_iter().flat_map(|on| &on.instances)
    }

    /// Those of them from a bound on.
    pub(crate) fn on_after(
        &self,
        node: &NodeName,
        from: Bound<InstanceId>,
    ) -> impl Iterator<Item = &InstanceId> + use<'_> {
        self.nodes.get(node).into_iter().flat_map(move |on| on.instances.range((from.clone(), Bound::Unbounded)))
    }

    /// How many they are.
    pub(crate) fn load(&self, node: &NodeName) -> usize {
        self.nodes.get(node).map_or(0, |on| on.instances.len())
    }

    /// Ready nodes with their load, the least first.
    pub(crate) fn ready(&self) -> impl Iterator<Item = &(usize, NodeName)> {
        self.by_load.iter()
    }

    /// Instances without a node.
    pub(crate) fn unplaced(&self) -> &BTreeSet<InstanceId> {
        &self.unplaced
    }

    /// Instances by phase; a phase that none is in is left out.
    pub(crate) fn phases(&self) -> &BTreeMap<Phase, usize> {
        &self.phases
    }

    /// Open actions of a node, oldest first.
    pub(crate) fn open_on(&self, node: &NodeName) -> impl Iterator<Item = u64> + use<'_> {
        self.nodes.get(node).into_iter().flat_map(|on| on.open.iter().copied())
    }

    /// Open actions of an instance, oldest first.
    pub(crate) fn open_of(&self, id: &InstanceId) -> impl Iterator<Item = u64> + use<'_> {
        self.open.get(id).into_iter().flatten().copied()
    }

    /// How many actions are open.
    pub(crate) fn open_count(&self) -> usize {
        self.open_count
    }

    /// Actions that are over, the oldest first.
    pub(crate) fn finished(&self) -> &BTreeSet<u64> {
        &self.finished
    }
}
