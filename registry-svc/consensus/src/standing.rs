//! Where this replica stands, for everybody who has to know.

use crate::{Members, Position, ReplicaId};
use registry_quorum::elections::Why;

/// Where a replica stands at present.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// This replica.
    pub me: ReplicaId,
    /// What it does.
    pub role: Role,
    /// The term of its vote.
    pub term: u64,
    /// Who leads that term, as far as it knows.
    pub leader: Option<ReplicaId>,
    /// It leads, and does not act on it at present.
    pub suspended: Option<Why>,
    /// It leads, and is handing over: what is to be written waits for the next standing.
    pub holds: bool,
    /// Who takes part, as of the newest entry of its log that says so.
    pub members: Members,
    /// Where that stands in the log.
    pub members_at: Option<Position>,
    /// Why the engine ended; the process has to end too.
    pub fault: Option<String>,
}

impl Standing {
    /// Whether what is to be written can be proposed here.
    #[must_use]
    pub fn leads(&self) -> bool {
        self.role == Role::Leader && self.suspended.is_none() && self.fault.is_none()
    }

    /// The term in which it does.
    #[must_use]
    pub fn leading(&self) -> Option<u64> {
        self.leads().then_some(self.term)
    }
}

/// What a replica does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Role {
    /// It receives the log and has no vote.
    #[default]
    Learner,
    /// It follows a leader, or waits for one.
    Follower,
    /// It stands for election.
    Candidate,
    /// It leads.
    Leader,
}
