//! What a process asks of nodes, and where it and those that it is apart from
//! are already.

use super::Exclusion;
use super::seat::Seat;
use crate::State;
use process_model::spec::Placement;
use process_model::{InstanceId, NodeName, ProcessName};
use std::collections::BTreeMap;

/// How many of each process a plan gave to nodes.
pub(super) type Given<'a> = BTreeMap<&'a ProcessName, BTreeMap<&'a NodeName, u32>>;

/// What a process asks of nodes.
pub(crate) struct Asked<'a> {
    pub(crate) process: &'a ProcessName,
    pub(crate) placement: &'a Placement,
    /// Instances of it by node, those being removed included.
    own: BTreeMap<&'a NodeName, u32>,
    /// Nodes where one is that it is apart from.
    apart: BTreeMap<&'a NodeName, &'a ProcessName>,
}

impl<'a> Asked<'a> {
    /// What a process asks; on one node only, when nothing else matters.
    /// `None`: there is no such process.
    pub(crate) fn of(state: &'a State, process: &ProcessName, only: Option<&'a NodeName>) -> Option<Self> {
        Self::with(state, process, only, &Given::new())
    }

    pub(super) fn with(
        state: &'a State,
        process: &ProcessName,
        only: Option<&'a NodeName>,
        given: &Given<'a>,
    ) -> Option<Self> {
        let (process, stored) = state.processes.get_key_value(process)?;
        let placement = super::of(&stored.spec);
        let mut own = BTreeMap::new();
        count(state, process, only, |node| *own.entry(node).or_default() += 1);
        for (node, more) in given.get(process).into_iter().flatten() {
            *own.entry(*node).or_default() += more;
        }
        let mut apart = BTreeMap::new();
        for other in placement.apart_from.iter().chain(state.index.apart_from(process)) {
            count(state, other, only, |node| {
                apart.insert(node, other);
            });
            apart.extend(given.get(other).into_iter().flatten().map(|(node, _)| (*node, other)));
        }
        Some(Self { process, placement, own, apart })
    }

    pub(crate) fn own(&self, node: &NodeName) -> u32 {
        self.own.get(node).copied().unwrap_or_default()
    }

    pub(crate) fn is_apart_from(&self, node: &NodeName) -> bool {
        self.apart.contains_key(node)
    }

    /// How many there are by the value of a label.
    pub(super) fn own_by_value(&self, state: &'a State, label: &str) -> BTreeMap<&'a str, u32> {
        let mut counts = BTreeMap::new();
        for (node, count) in &self.own {
            if let Some(value) = state.nodes.get(*node).and_then(|node| node.label(label)) {
                *counts.entry(value).or_default() += count;
            }
        }
        counts
    }

    pub(super) fn gave(&mut self, node: &'a NodeName) {
        *self.own.entry(node).or_default() += 1;
    }

    /// Why a node that takes new ones and that its constraints hold of is no
    /// place for one more.
    pub(crate) fn excludes(&self, seat: &Seat<'_>) -> Option<Exclusion> {
        let name = &seat.node.name;
        if let Some(other) = self.apart.get(name) {
            return Some(Exclusion::ApartFrom((*other).clone()));
        }
        if let Some(most) = self.placement.max_per_node.filter(|most| self.own(name) >= *most) {
            return Some(Exclusion::MaxPerNode(most));
        }
        super::room(&seat.free, &self.placement.reserve)
    }
}

/// Names the node of each instance of a process.
fn count<'a>(state: &'a State, process: &ProcessName, only: Option<&'a NodeName>, mut one: impl FnMut(&'a NodeName)) {
    match only {
        Some(node) => {
            state.index.on_within(node, InstanceId::all_of(process)).for_each(|_| one(node));
        }
        None => state.instances_of(process).filter_map(|instance| instance.node.as_ref()).for_each(one),
    }
}
