//! What is found without looking through everything: which instances and open
//! actions a node has, who waits for a node, which node has the least to do.
//! Enters: each change of an instance, node or action, as it was and as it is.
//! Made from the rows alone, so it is in no row; [`crate::invariants`]
//! compares it with a look through everything.

use crate::tick::Due;
use crate::{Drain, Instance, Node, Process, placement};
use process_model::{Action, InstanceId, NodeName, Phase, ProcessName, Timestamp};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::{Bound, RangeInclusive};

/// What is found quickly.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Index {
    nodes: BTreeMap<NodeName, OnNode>,
    /// Nodes that take something new, the one with the fewest instances first,
    /// ties by name.
    by_load: BTreeSet<(usize, NodeName)>,
    /// Nodes that are being drained.
    draining: BTreeSet<NodeName>,
    /// Processes of which there is one instance on each node.
    daemons: BTreeSet<ProcessName>,
    /// Who says that it is apart from a process, by that process.
    apart: BTreeMap<ProcessName, BTreeSet<ProcessName>>,
    /// Instances that have to leave their node.
    unfit: BTreeSet<InstanceId>,
    /// Instances that leave their node for another one.
    moving: BTreeSet<InstanceId>,
    /// Instances without a node.
    unplaced: BTreeSet<InstanceId>,
    phases: BTreeMap<Phase, usize>,
    open: BTreeMap<InstanceId, BTreeSet<u64>>,
    open_count: usize,
    /// Actions that are over, the oldest first.
    finished: BTreeSet<u64>,
    /// What has to be looked at when, the earliest first.
    due: BTreeSet<(Timestamp, Due)>,
}

#[derive(Debug, Clone, PartialEq, Default)]
struct OnNode {
    takes_new: bool,
    instances: BTreeSet<InstanceId>,
    open: BTreeSet<u64>,
    /// Reserved thousandths of a CPU, and bytes of memory.
    reserved: (u64, u64),
}

/// What the index knows of an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Spot {
    node: Option<NodeName>,
    phase: Phase,
    reserved: (u64, u64),
    unfit: bool,
    moving: bool,
}

/// What the index knows of an action.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Turn {
    /// `None`: it is for something else of its node.
    instance: Option<InstanceId>,
    node: Option<NodeName>,
    open: bool,
    expires: Option<Timestamp>,
}

impl From<&Instance> for Spot {
    fn from(instance: &Instance) -> Self {
        Self {
            node: instance.node.clone(),
            phase: instance.phase(),
            reserved: (u64::from(instance.reserved.cpu_millis), instance.reserved.memory),
            unfit: instance.unfit,
            moving: instance.moving.is_some(),
        }
    }
}

impl From<&Action> for Turn {
    fn from(action: &Action) -> Self {
        let open = !action.state.is_final();
        let expires = action.expires.filter(|_| open);
        Self { instance: action.target.instance().cloned(), node: action.node.clone(), open, expires }
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
            let (cpu, memory) = was.reserved;
            match was.node {
                Some(node) => self.on_node(&node, |on| {
                    on.reserved = (on.reserved.0.saturating_sub(cpu), on.reserved.1.saturating_sub(memory));
                    on.instances.remove(id)
                }),
                None => self.unplaced.remove(id),
            };
            was.unfit.then(|| self.unfit.remove(id));
            was.moving.then(|| self.moving.remove(id));
        }
        if let Some(is) = is {
            self.count(is.phase, true);
            let (cpu, memory) = is.reserved;
            match is.node {
                Some(node) => self.on_node(&node, |on| {
                    on.reserved = (on.reserved.0.saturating_add(cpu), on.reserved.1.saturating_add(memory));
                    on.instances.insert(id.clone())
                }),
                None => self.unplaced.insert(id.clone()),
            };
            is.unfit.then(|| self.unfit.insert(id.clone()));
            is.moving.then(|| self.moving.insert(id.clone()));
        }
    }

    /// A node was in one state and is in another; `None`: it is not there.
    pub(crate) fn node(&mut self, name: &NodeName, was: Option<&Node>, is: Option<&Node>) {
        let takes_new = is.is_some_and(Node::takes_new);
        self.on_node(name, |on| std::mem::replace(&mut on.takes_new, takes_new) != takes_new);
        self.due(Due::Node(name.clone()), was.and_then(Node::due), is.and_then(Node::due));
        let drain = |node: Option<&Node>| node.and_then(|node| node.drain.as_ref()).and_then(Drain::due);
        self.due(Due::Drain(name.clone()), drain(was), drain(is));
        if is.is_some_and(|node| node.drain.is_some()) {
            self.draining.insert(name.clone());
        } else {
            self.draining.remove(name);
        }
    }

    /// A process had one spec and has another; `None`: it is not there.
    pub(crate) fn process(&mut self, name: &ProcessName, was: Option<&Process>, is: Option<&Process>) {
        self.due(Due::Rollout(name.clone()), was.and_then(Process::due), is.and_then(Process::due));
        let apart = |process: &Process| placement::of(&process.spec).apart_from.clone();
        for other in was.map(apart).unwrap_or_default() {
            if let Some(from) = self.apart.get_mut(&other) {
                from.remove(name);
                if from.is_empty() {
                    self.apart.remove(&other);
                }
            }
        }
        for other in is.map(apart).unwrap_or_default() {
            self.apart.entry(other).or_default().insert(name.clone());
        }
        if is.is_some_and(|process| placement::of(&process.spec).daemon) {
            self.daemons.insert(name.clone());
        } else {
            self.daemons.remove(name);
        }
    }

    /// An action was in one state and is in another; `None`: it is not there.
    pub(crate) fn action(&mut self, number: u64, was: Option<Turn>, is: Option<Turn>) {
        if was == is {
            return;
        }
        let expires = |turn: &Option<Turn>| turn.as_ref().and_then(|turn| turn.expires);
        self.due(Due::Action(number), expires(&was), expires(&is));
        match was {
            Some(was) if was.open => {
                self.open_count -= 1;
                if let Some(instance) = was.instance
                    && let Some(open) = self.open.get_mut(&instance)
                {
                    open.remove(&number);
                    if open.is_empty() {
                        self.open.remove(&instance);
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
                if let Some(instance) = is.instance {
                    self.open.entry(instance).or_default().insert(number);
                }
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

    /// Something had to be looked at at one time, and has to be at another.
    fn due(&mut self, what: Due, was: Option<Timestamp>, is: Option<Timestamp>) {
        if was != is {
            was.map(|time| self.due.remove(&(time, what.clone())));
            is.map(|time| self.due.insert((time, what)));
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
        let was = on.takes_new.then_some(on.instances.len());
        let changed = change(on);
        let is = on.takes_new.then_some(on.instances.len());
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

    /// Those of them in a range.
    pub(crate) fn on_within(
        &self,
        node: &NodeName,
        range: RangeInclusive<InstanceId>,
    ) -> impl Iterator<Item = &InstanceId> + use<'_> {
        self.nodes.get(node).into_iter().flat_map(move |on| on.instances.range(range.clone()))
    }

    /// Thousandths of a CPU and bytes of memory that are reserved on a node.
    pub(crate) fn reserved(&self, node: &NodeName) -> (u64, u64) {
        self.nodes.get(node).map_or((0, 0), |on| on.reserved)
    }

    /// Nodes that take something new, with their load, the least first.
    pub(crate) fn takers(&self) -> impl Iterator<Item = &(usize, NodeName)> {
        self.by_load.iter()
    }

    /// Nodes that are being drained.
    pub(crate) fn draining(&self) -> &BTreeSet<NodeName> {
        &self.draining
    }

    /// Processes of which there is one instance on each node.
    pub(crate) fn daemons(&self) -> &BTreeSet<ProcessName> {
        &self.daemons
    }

    /// Processes that say that they are apart from this one.
    pub(crate) fn apart_from(&self, process: &ProcessName) -> impl Iterator<Item = &ProcessName> + use<'_> {
        self.apart.get(process).into_iter().flatten()
    }

    /// Instances that have to leave their node.
    pub(crate) fn unfit(&self) -> &BTreeSet<InstanceId> {
        &self.unfit
    }

    /// Instances that leave their node for another one.
    pub(crate) fn moving(&self) -> &BTreeSet<InstanceId> {
        &self.moving
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

    /// What has to be looked at when, the earliest first.
    pub(crate) fn all_due(&self) -> &BTreeSet<(Timestamp, Due)> {
        &self.due
    }

    /// Actions that are over, the oldest first.
    pub(crate) fn finished(&self) -> &BTreeSet<u64> {
        &self.finished
    }
}
