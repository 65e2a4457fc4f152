//! Who takes part.

use registry_quorum::{ReplicaId, Voters};
use std::collections::BTreeSet;

/// The members of a cluster as of some entry of its log.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Members {
    /// Those who vote.
    pub voters: Voters,
    /// Those who only receive the log.
    pub learners: BTreeSet<ReplicaId>,
}

impl Members {
    /// Everybody.
    #[must_use]
    pub fn all(&self) -> BTreeSet<ReplicaId> {
        self.voters.all().union(&self.learners).copied().collect()
    }
}
