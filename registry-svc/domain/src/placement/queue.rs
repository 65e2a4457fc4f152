//! The nodes that some constraints hold of, the one with the fewest instances
//! first. Processes with the same constraints share one, so that each node is
//! asked once in a plan; and nodes are asked only until enough were found.

use super::fitting::{self, Compiled};
use super::seat::Seats;
use crate::State;
use process_model::NodeName;
use process_model::spec::{Constraint, Operator};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::iter::Peekable;

type ByLoad<'a> = Peekable<Box<dyn Iterator<Item = (usize, &'a NodeName)> + 'a>>;

/// Nodes that some constraints hold of.
pub(super) struct Queue<'a> {
    state: &'a State,
    constraints: Compiled<'a>,
    /// Not asked yet, by what they had before the plan, which is never more than what they have now.
    rest: ByLoad<'a>,
    /// Asked. What an entry says of the load may be old; it only grows, so a
    /// look at the first finds out.
    found: BinaryHeap<Reverse<(usize, &'a NodeName, usize)>>,
    /// Everybody who was ever found, in that order.
    everybody: Vec<usize>,
}

impl<'a> Queue<'a> {
    pub(super) fn new(state: &'a State, constraints: &'a [Constraint], only: Option<&'a NodeName>) -> Self {
        let takers: Box<dyn Iterator<Item = (usize, &'a NodeName)> + 'a> = match (only, named(constraints)) {
            (Some(node), _) => Box::new(takers(state, [node].into_iter())),
            (None, Some(names)) => {
                let nodes = names.iter().filter_map(|name| name.parse::<NodeName>().ok());
                let mut nodes: Vec<(usize, &NodeName)> =
                    takers(state, nodes.filter_map(|name| Some(state.nodes.get_key_value(&name)?.0))).collect();
                nodes.sort_unstable();
                nodes.dedup();
                Box::new(nodes.into_iter())
            }
            (None, None) => Box::new(state.index.takers().map(|(load, node)| (*load, node))),
        };
        Self {
            constraints: fitting::compiled(constraints),
            rest: takers.peekable(),
            found: BinaryHeap::new(),
            everybody: Vec::new(),
            state,
        }
    }

    /// The one with the fewest instances; it stays.
    pub(super) fn first(&mut self, seats: &mut Seats<'a>) -> Option<(usize, &'a NodeName)> {
        loop {
            let asked = match self.found.peek() {
                Some(Reverse((load, name, at))) if seats.at(*at).load != *load => {
                    let entry = Reverse((seats.at(*at).load, *name, *at));
                    self.found.pop();
                    self.found.push(entry);
                    continue;
                }
                found => found.map(|Reverse((load, name, _))| (*load, *name)),
            };
            match (self.rest.peek(), asked) {
                (Some(next), Some(asked)) if *next > asked => return Some(asked),
                (None, asked) => return asked,
                (Some(_), _) => self.ask_next(seats),
            }
        }
    }

    /// Asks the next one.
    fn ask_next(&mut self, seats: &mut Seats<'a>) {
        let Some((_, name)) = self.rest.next() else { return };
        let holds = self.state.nodes.get(name).is_some_and(|node| fitting::holds(&self.constraints, node));
        // Who is no option needs no seat: in a large cluster that is nearly everybody.
        if let Some(at) = holds.then(|| seats.open(name)).flatten() {
            self.everybody.push(at);
            self.back(seats, at);
        }
    }

    /// All of them, those included that were taken out.
    pub(super) fn all(&mut self, seats: &mut Seats<'a>) -> &[usize] {
        while self.rest.peek().is_some() {
            self.ask_next(seats);
        }
        &self.everybody
    }

    /// The same, taken out.
    pub(super) fn next(&mut self, seats: &mut Seats<'a>) -> Option<usize> {
        self.first(seats)?;
        self.found.pop().map(|Reverse((_, _, at))| at)
    }

    /// Puts one back that was taken out.
    pub(super) fn back(&mut self, seats: &Seats<'a>, at: usize) {
        let seat = seats.at(at);
        self.found.push(Reverse((seat.load, &seat.node.name, at)));
    }
}

/// Those of some nodes that take something new, with what they have.
fn takers<'a>(
    state: &'a State,
    names: impl Iterator<Item = &'a NodeName> + 'a,
) -> impl Iterator<Item = (usize, &'a NodeName)> + 'a {
    let nodes = names.filter_map(|name| state.nodes.get(name)).filter(|node| fitting::takes_new(node));
    nodes.map(|node| (state.load_of(&node.name), &node.name))
}

/// The only nodes that can be, when constraints name them.
fn named(constraints: &[Constraint]) -> Option<&[String]> {
    let names = constraints.iter().find(|one| {
        let by_name = match one.operator {
            Operator::Equal | Operator::In => true,
            Operator::NotEqual | Operator::NotIn | Operator::Regexp | Operator::Version => false,
        };
        by_name && one.attribute == "node.name"
    });
    names.map(|one| one.values.as_slice())
}
