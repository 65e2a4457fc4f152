//! What one directory says of the cluster that it was a part of.

use crate::{Position, ReplicaId, Voters};
use std::collections::BTreeSet;

/// What is left of a replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remains {
    /// Its number.
    pub id: ReplicaId,
    /// The cluster.
    pub cluster: String,
    /// The epoch that the directory belongs to.
    pub epoch: u64,
    /// The term of its vote: it may have voted in a term of which its log knows nothing.
    pub term: u64,
    /// The end of its log.
    pub last: Position,
    /// Up to here its log is known to be committed. Behind it there may be entries that were acknowledged and entries
    /// that never were.
    pub committed: Position,
    /// Who voted.
    pub voters: Voters,
    /// Who received the log without a vote.
    pub learners: BTreeSet<ReplicaId>,
    /// The next number that nobody had.
    pub next: u64,
    /// When the newest entry was made, as a person reads it; none if the log holds none.
    pub newest: Option<String>,
}
