//! Who is a member, as the log has it, and what is reachable, as the leader
//! sees it at this moment.

use crate::{ReplicaId, Voters};
use std::collections::{BTreeMap, BTreeSet};

/// The members, from the replicated state.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Roll {
    /// Who votes; two halves while a joint change is under way.
    pub voters: Voters,
    /// Who receives the log without a vote.
    pub learners: BTreeSet<ReplicaId>,
    /// Numbers that were members and are not any more.
    pub gone: BTreeSet<ReplicaId>,
    /// The next number that nobody had.
    pub next: u64,
}

impl Roll {
    /// A voter or a learner.
    #[must_use]
    pub fn is_member(&self, id: ReplicaId) -> bool {
        self.voters.contains(id) || self.learners.contains(&id)
    }
}

/// What the leader sees of the others.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reach {
    /// The leader, who is asked.
    pub leader: ReplicaId,
    /// Who answers, the leader among them.
    pub reachable: BTreeSet<ReplicaId>,
    /// How much of the log each has on its disk.
    pub matched: BTreeMap<ReplicaId, u64>,
    /// The end of the leader's log.
    pub last: u64,
}

impl Reach {
    /// Entries that this replica lacks.
    #[must_use]
    pub fn lag(&self, id: ReplicaId) -> u64 {
        self.last.saturating_sub(self.matched.get(&id).copied().unwrap_or(0))
    }
}
