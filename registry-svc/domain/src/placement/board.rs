//! Nodes as they fill up while one plan is made, and the choice among them.

use super::asked::{Asked, Given};
use super::queue::Queue;
use super::score::Score;
use super::seat::Seats;
use crate::State;
use process_model::spec::{Constraint, PlacementStrategy};
use process_model::{NodeName, ProcessName};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// Nodes as they fill up while one plan is made.
pub(crate) struct Board<'a> {
    state: &'a State,
    /// No other node is looked at.
    only: Option<&'a NodeName>,
    seats: Seats<'a>,
    queues: BTreeMap<&'a [Constraint], Queue<'a>>,
    given: Given<'a>,
}

/// The nodes that one process can go to, by the value of the label that it is
/// spread over; `None`: nodes without the label, which come last, or no label.
type Shelves<'a> = BTreeMap<Option<&'a str>, BinaryHeap<Reverse<Score<'a>>>>;

impl<'a> Board<'a> {
    pub(crate) fn new(state: &'a State) -> Self {
        Self { state, only: None, seats: Seats::new(state), queues: BTreeMap::new(), given: Given::new() }
    }

    /// The same, with no other node than this.
    pub(crate) fn of_node(state: &'a State, node: &'a NodeName) -> Self {
        Self { only: Some(node), ..Self::new(state) }
    }

    /// Gives so many instances of a process their nodes, as far as there are
    /// any.
    pub(crate) fn seat(&mut self, process: &ProcessName, wanted: usize) -> Vec<&'a NodeName> {
        let (state, only) = (self.state, self.only);
        let Some(mut asked) = Asked::with(state, process, only, &self.given) else { return Vec::new() };
        let (placement, process) = (asked.placement, asked.process);
        let Self { seats, queues, given, .. } = self;
        let queue = queues
            .entry(placement.constraints.as_slice())
            .or_insert_with(|| Queue::new(state, &placement.constraints, only));
        // Before there were placements the load alone counted; replicas that know no more decide as they did.
        let knows_own = state.meta.level() >= 3;
        let label = placement.spread_by.as_deref();
        let mut counts = label.map(|label| asked.own_by_value(state, label)).unwrap_or_default();
        let score = |seats: &Seats<'a>, asked: &Asked<'a>, at: usize| {
            let seat = seats.at(at);
            let own = if knows_own { asked.own(&seat.node.name) } else { 0 };
            Score::of(placement.strategy, seat, own, at)
        };
        let shelf_of = |seats: &Seats<'a>, at: usize| label.and_then(|label| seats.at(at).node.label(label));
        // Only where the least loaded is the best need not all be looked at.
        let all = label.is_some() || placement.strategy == PlacementStrategy::BinPack;
        let mut shelves = Shelves::new();
        if all {
            let open = queue.all(seats).to_vec();
            for at in open.into_iter().filter(|at| asked.excludes(seats.at(*at)).is_none()) {
                shelves.entry(shelf_of(seats, at)).or_default().push(Reverse(score(seats, &asked, at)));
            }
        }
        let mut taken: Vec<usize> = Vec::new();
        let mut nodes = Vec::with_capacity(wanted);
        while nodes.len() < wanted {
            while let Some((load, node)) = if all { None } else { queue.first(seats) } {
                let best = shelves.get(&None).and_then(BinaryHeap::peek);
                if best.is_some_and(|Reverse(best)| best.is_best_of(load, node)) {
                    break;
                }
                let Some(at) = queue.next(seats) else { break };
                taken.push(at);
                if asked.excludes(seats.at(at)).is_none() {
                    shelves.entry(None).or_default().push(Reverse(score(seats, &asked, at)));
                }
            }
            let count = |value: &Option<&str>| match value {
                Some(value) => counts.get(value).copied().unwrap_or_default(),
                None => u32::MAX,
            };
            let firsts = shelves.iter().filter_map(|(value, shelf)| Some((count(value), shelf.peek()?.0, *value)));
            let Some((_, best, value)) = firsts.min() else { break };
            let shelf = shelves.entry(value).or_default();
            shelf.pop();
            seats.take(best.at, &placement.reserve);
            asked.gave(best.node);
            *given.entry(process).or_default().entry(best.node).or_default() += 1;
            if let Some(value) = value {
                *counts.entry(value).or_default() += 1;
            }
            if asked.excludes(seats.at(best.at)).is_none() {
                shelf.push(Reverse(score(seats, &asked, best.at)));
            }
            nodes.push(best.node);
        }
        taken.into_iter().for_each(|at| queue.back(seats, at));
        nodes
    }
}
