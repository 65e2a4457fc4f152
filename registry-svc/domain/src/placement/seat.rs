//! Nodes as they fill up while one plan is made. Only those that somebody has
//! looked at are here.

use crate::{Node, State};
use process_model::NodeName;
use process_model::spec::Reservation;
use std::collections::BTreeMap;

/// A node while a plan is made.
pub(crate) struct Seat<'a> {
    pub(crate) node: &'a Node,
    /// Instances on it, with those that this plan gave it.
    pub(crate) load: usize,
    pub(crate) free: Room,
}

/// What is left of a node's capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Room {
    pub(crate) cpu_millis: u64,
    pub(crate) memory: u64,
}

impl Room {
    /// All that a node has.
    pub(crate) fn all_of(node: &Node) -> Self {
        Self { cpu_millis: u64::from(node.cpus) * 1_000, memory: node.memory_bytes }
    }

    /// What is left of it now.
    pub(crate) fn left_on(state: &State, node: &Node) -> Self {
        let (cpu_millis, memory) = state.index.reserved(&node.name);
        let all = Self::all_of(node);
        Self { cpu_millis: all.cpu_millis.saturating_sub(cpu_millis), memory: all.memory.saturating_sub(memory) }
    }

    pub(crate) fn takes(&self, reserve: &Reservation) -> bool {
        u64::from(reserve.cpu_millis) <= self.cpu_millis && reserve.memory <= self.memory
    }
}

impl<'a> Seat<'a> {
    pub(crate) fn of(state: &'a State, node: &'a Node) -> Self {
        Self { node, load: state.load_of(&node.name), free: Room::left_on(state, node) }
    }

    /// How much of it is reserved, in thousandths of its processors and of its memory together.
    pub(crate) fn fullness(&self) -> u64 {
        let all = Room::all_of(self.node);
        let part = |free: u64, all: u64| {
            let used = u128::from(all.saturating_sub(free));
            u64::try_from((used * 1_000).checked_div(u128::from(all)).unwrap_or(1_000)).unwrap_or(1_000)
        };
        part(self.free.cpu_millis, all.cpu_millis) + part(self.free.memory, all.memory)
    }

    fn take(&mut self, reserve: &Reservation) {
        self.load += 1;
        self.free.cpu_millis = self.free.cpu_millis.saturating_sub(u64::from(reserve.cpu_millis));
        self.free.memory = self.free.memory.saturating_sub(reserve.memory);
    }
}

/// The nodes that were looked at.
pub(super) struct Seats<'a> {
    state: &'a State,
    all: Vec<Seat<'a>>,
    by_name: BTreeMap<&'a NodeName, usize>,
}

impl<'a> Seats<'a> {
    pub(super) fn new(state: &'a State) -> Self {
        Self { state, all: Vec::new(), by_name: BTreeMap::new() }
    }

    /// The place of a node among them; `None`: there is no such node.
    pub(super) fn open(&mut self, name: &'a NodeName) -> Option<usize> {
        if let Some(at) = self.by_name.get(name) {
            return Some(*at);
        }
        let node = self.state.nodes.get(name)?;
        let at = self.all.len();
        self.all.push(Seat::of(self.state, node));
        self.by_name.insert(name, at);
        Some(at)
    }

    pub(super) fn at(&self, at: usize) -> &Seat<'a> {
        &self.all[at]
    }

    pub(super) fn take(&mut self, at: usize, reserve: &Reservation) {
        self.all[at].take(reserve);
    }
}
