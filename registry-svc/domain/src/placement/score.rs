//! Which of the nodes that can take an instance is the best: the least score.

use super::seat::Seat;
use process_model::NodeName;
use process_model::spec::PlacementStrategy;

/// Where a node stands among those that can; the least is the best, ties go
/// by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Score<'a> {
    first: u64,
    second: u64,
    pub(crate) node: &'a NodeName,
    pub(super) at: usize,
}

impl<'a> Score<'a> {
    /// Spread: the fewest of the process, then the fewest instances. Bin-pack:
    /// the most reserved, then the most instances.
    pub(crate) fn of(strategy: PlacementStrategy, seat: &Seat<'a>, own: u32, at: usize) -> Self {
        let load = seat.load as u64;
        let (first, second) = match strategy {
            PlacementStrategy::Spread => (u64::from(own), load),
            PlacementStrategy::BinPack => (u64::MAX - seat.fullness(), u64::MAX - load),
        };
        Self { first, second, node: &seat.node.name, at }
    }

    /// No node with this load or a higher one, and behind this name, is better
    /// where instances are spread.
    pub(super) fn is_best_of(&self, load: usize, node: &NodeName) -> bool {
        (self.first, self.second, self.node) <= (0, load as u64, node)
    }
}
