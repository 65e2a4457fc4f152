//! Votes, positions, members.

use super::Malformed;
use pm_proto::v1;
use registry_consensus::{Members, Position, ReplicaId, Vote, Voters};

pub(in crate::peers) fn vote_into(vote: Vote) -> v1::RaftVote {
    v1::RaftVote { term: vote.term, voted_for: vote.voted_for, committed: vote.committed }
}

pub(in crate::peers) fn vote_from(vote: Option<v1::RaftVote>, field: &'static str) -> Result<Vote, Malformed> {
    let v1::RaftVote { term, voted_for, committed } = vote.ok_or(Malformed::Missing(field))?;
    Ok(Vote { term, voted_for, committed })
}

pub(super) fn position_into(position: Position) -> v1::LogPosition {
    v1::LogPosition { term: position.term, index: position.index }
}

pub(super) fn position_from(position: v1::LogPosition) -> Position {
    Position { term: position.term, index: position.index }
}

pub(super) fn members_into(members: &Members) -> v1::RaftMembers {
    let set = |half: &std::collections::BTreeSet<ReplicaId>| v1::VoterSet {
        replica_ids: half.iter().map(|id| id.0).collect(),
    };
    v1::RaftMembers {
        voters: members.voters.halves().iter().map(set).collect(),
        learners: members.learners.iter().map(|id| id.0).collect(),
    }
}

pub(super) fn members_from(members: v1::RaftMembers) -> Members {
    let halves = members.voters.into_iter().map(|set| set.replica_ids.into_iter().map(ReplicaId).collect());
    Members { voters: Voters::of_halves(halves), learners: members.learners.into_iter().map(ReplicaId).collect() }
}
