//! Where this replica stands, for everybody who has to know.

use crate::{Members, Position, ReplicaId};
use registry_quorum::Voters;
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

    /// Who votes on what this replica does in `term`, in which it leads; `said`: the last entry of its log that says so,
    /// as far as it is of that term. `None`: this standing is older than that.
    pub(crate) fn voters_in(&self, term: u64, said: Option<Position>) -> Option<&Voters> {
        let said = said.filter(|at| at.term == term);
        (self.term == term && self.members_at >= said).then_some(&self.members.voters)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_votes_is_not_told_by_a_standing_that_is_older_than_what_the_log_says() {
        let at = |term, index| Some(Position { term, index });
        let standing = Standing { term: 3, members_at: at(3, 20), ..Standing::default() };
        let knows = |term, said| standing.voters_in(term, said).is_some();
        assert!(knows(3, None) && knows(3, at(3, 20)) && knows(3, at(3, 7)));
        assert!(!knows(3, at(3, 21)), "the members changed since");
        assert!(knows(3, at(2, 90)), "cut off, or older than the standing's");
        assert!(!knows(4, None) && !knows(2, None), "of another leadership");
    }
}
