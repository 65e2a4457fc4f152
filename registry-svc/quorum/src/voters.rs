//! The voters of a configuration. While a joint change runs there are two sets
//! and every decision needs a majority of each (Raft, Ongaro 2014, 4.3): one
//! half alone could decide against the other.

use crate::ReplicaId;
use std::collections::BTreeSet;

/// The voting replicas: one set, or both halves of a joint change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Voters {
    halves: Vec<BTreeSet<ReplicaId>>,
}

impl Voters {
    /// A uniform configuration.
    #[must_use]
    pub fn of(ids: impl IntoIterator<Item = ReplicaId>) -> Self {
        Self { halves: vec![ids.into_iter().collect()] }
    }

    /// A configuration as Raft has it: one set, or old and new. Equal or empty halves are dropped.
    #[must_use]
    pub fn of_halves(halves: impl IntoIterator<Item = BTreeSet<ReplicaId>>) -> Self {
        let mut kept: Vec<BTreeSet<ReplicaId>> = Vec::new();
        for half in halves.into_iter().filter(|half| !half.is_empty()) {
            if !kept.contains(&half) {
                kept.push(half);
            }
        }
        Self { halves: kept }
    }

    /// The sets, old before new.
    #[must_use]
    pub fn halves(&self) -> &[BTreeSet<ReplicaId>] {
        &self.halves
    }

    /// A joint change is under way.
    #[must_use]
    pub fn is_joint(&self) -> bool {
        self.halves.len() > 1
    }

    /// The set that will vote once a joint change is finished; the only set otherwise.
    #[must_use]
    pub fn target(&self) -> BTreeSet<ReplicaId> {
        self.halves.last().cloned().unwrap_or_default()
    }

    /// Everybody who votes in any half.
    #[must_use]
    pub fn all(&self) -> BTreeSet<ReplicaId> {
        self.halves.iter().flatten().copied().collect()
    }

    /// Whether this replica votes in any half.
    #[must_use]
    pub fn contains(&self, id: ReplicaId) -> bool {
        self.halves.iter().any(|half| half.contains(&id))
    }

    /// Whether those for whom `yes` holds are a majority of every half. Nobody is a majority of no voters.
    #[must_use]
    pub fn majority(&self, yes: impl Fn(ReplicaId) -> bool) -> bool {
        !self.halves.is_empty()
            && self.halves.iter().all(|half| half.iter().filter(|id| yes(**id)).count() > half.len() / 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ids(ids: &[u64]) -> BTreeSet<ReplicaId> {
        ids.iter().map(|id| ReplicaId(*id)).collect()
    }

    fn has(voters: &Voters, yes: &[u64]) -> bool {
        voters.majority(|id| yes.contains(&id.0))
    }

    #[test]
    fn a_majority_is_more_than_half() {
        let three = Voters::of(ids(&[1, 2, 3]));
        assert!(has(&three, &[1, 2]) && !has(&three, &[1]));
        let four = Voters::of(ids(&[1, 2, 3, 4]));
        assert!(has(&four, &[1, 2, 3]) && !has(&four, &[1, 2]));
        assert!(!has(&Voters::default(), &[1, 2, 3]));
    }

    #[test]
    fn a_joint_change_needs_a_majority_of_both_halves() {
        let joint = Voters::of_halves([ids(&[1, 2, 3]), ids(&[3, 4, 5])]);
        assert!(!has(&joint, &[1, 2, 3]) && !has(&joint, &[3, 4, 5]) && !has(&joint, &[1, 2, 4]));
        assert!(has(&joint, &[1, 3, 4]) && has(&joint, &[1, 2, 4, 5]));
        assert_eq!((joint.target(), joint.all()), (ids(&[3, 4, 5]), ids(&[1, 2, 3, 4, 5])));
    }

    #[test]
    fn equal_halves_are_no_joint_change() {
        assert!(!Voters::of_halves([ids(&[1, 2]), ids(&[2, 1]), ids(&[])]).is_joint());
    }
}
