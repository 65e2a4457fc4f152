//! Where this replica stands, as the Raft library has it: the truth that the
//! elections work with and never change themselves.

use crate::{Position, ReplicaId, Voters};
use std::collections::BTreeMap;

/// What the Raft library says of this replica.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// The term of its vote.
    pub term: u64,
    /// The leader of that term once it is elected; this replica itself if it leads.
    pub leader: Option<ReplicaId>,
    /// The last entry of its log.
    pub last: Position,
    /// Who votes.
    pub voters: Voters,
    /// Leading only: the index up to which each other replica has the log on its disk.
    pub matched: BTreeMap<ReplicaId, u64>,
}
