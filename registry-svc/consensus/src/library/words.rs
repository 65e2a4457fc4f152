//! Our words ⇄ the library's, one to one.

use super::record;
use super::type_config::{LogId, Membership, RaftEntry, TypeConfig};
use crate::{Append, Appended, LogRecord, Members, Position, ReplicaId, Vote, VoteAnswer, VoteQuestion, Voters};
use openraft::raft::{AppendEntriesRequest, AppendEntriesResponse, VoteRequest, VoteResponse};
use openraft::{CommittedLeaderId, EmptyNode, LeaderId};
use std::collections::{BTreeMap, BTreeSet};

pub(crate) fn position(id: LogId) -> Position {
    Position { term: id.leader_id.term, index: id.index }
}

pub(super) fn log_id(at: Position) -> LogId {
    LogId::new(CommittedLeaderId::new(at.term, 0), at.index)
}

pub(super) fn disk_position(at: Position) -> registry_log::Position {
    registry_log::Position { term: at.term, index: at.index }
}

pub(super) fn from_disk(at: registry_log::Position) -> Position {
    Position { term: at.term, index: at.index }
}

pub(crate) fn vote_of(vote: &openraft::Vote<u64>) -> Vote {
    Vote { term: vote.leader_id.term, voted_for: vote.leader_id.voted_for, committed: vote.committed }
}

pub(crate) fn raft_vote(vote: Vote) -> openraft::Vote<u64> {
    let leader_id = LeaderId { term: vote.term, voted_for: vote.voted_for };
    openraft::Vote { leader_id, committed: vote.committed }
}

pub(crate) fn members_of(membership: &Membership) -> Members {
    let halves = membership.get_joint_config().iter().map(|half| half.iter().copied().map(ReplicaId).collect());
    Members { voters: Voters::of_halves(halves), learners: membership.learner_ids().map(ReplicaId).collect() }
}

pub(super) fn membership_of(members: &Members) -> Membership {
    let halves = members.voters.halves().iter().map(|half| half.iter().map(|id| id.0).collect()).collect();
    Membership::new(halves, nodes_of(&members.all()))
}

pub(crate) fn nodes_of(ids: &BTreeSet<ReplicaId>) -> BTreeMap<u64, EmptyNode> {
    ids.iter().map(|id| (id.0, EmptyNode::new())).collect()
}

pub(super) fn told_append(rpc: &AppendEntriesRequest<TypeConfig>, committed: Option<Position>) -> Append {
    Append {
        vote: vote_of(&rpc.vote),
        previous: rpc.prev_log_id.map(position),
        entries: rpc.entries.iter().map(to_record).collect(),
        committed,
    }
}

fn to_record(entry: &RaftEntry) -> LogRecord {
    LogRecord { at: position(entry.log_id), bytes: record::encode(&entry.payload) }
}

/// What a peer sent, for the library; an entry that cannot be read is an error of the peer.
pub(crate) fn asked_append(append: Append) -> Result<AppendEntriesRequest<TypeConfig>, record::Unreadable> {
    let entries = append.entries.into_iter().map(|record| {
        let payload = record::decode(record.at, record.bytes)?;
        Ok(RaftEntry { log_id: log_id(record.at), payload })
    });
    Ok(AppendEntriesRequest {
        vote: raft_vote(append.vote),
        prev_log_id: append.previous.map(log_id),
        entries: entries.collect::<Result<_, _>>()?,
        leader_commit: append.committed.map(log_id),
    })
}

pub(crate) fn answered_append(answer: AppendEntriesResponse<u64>) -> Appended {
    match answer {
        AppendEntriesResponse::Success => Appended::All,
        AppendEntriesResponse::PartialSuccess(upto) => Appended::UpTo(upto.map(position)),
        AppendEntriesResponse::Conflict => Appended::Conflict,
        AppendEntriesResponse::HigherVote(vote) => Appended::Outvoted(vote_of(&vote)),
    }
}

pub(super) fn append_answer(answer: Appended) -> AppendEntriesResponse<u64> {
    match answer {
        Appended::All => AppendEntriesResponse::Success,
        Appended::UpTo(upto) => AppendEntriesResponse::PartialSuccess(upto.map(log_id)),
        Appended::Conflict => AppendEntriesResponse::Conflict,
        Appended::Outvoted(vote) => AppendEntriesResponse::HigherVote(raft_vote(vote)),
    }
}

pub(super) fn vote_question(rpc: &VoteRequest<u64>) -> VoteQuestion {
    VoteQuestion { vote: vote_of(&rpc.vote), last: rpc.last_log_id.map(position) }
}

pub(crate) fn asked_vote(question: &VoteQuestion) -> VoteRequest<u64> {
    VoteRequest::new(raft_vote(question.vote), question.last.map(log_id))
}

pub(crate) fn answered_vote(answer: &VoteResponse<u64>) -> VoteAnswer {
    VoteAnswer { vote: vote_of(&answer.vote), granted: answer.vote_granted, last: answer.last_log_id.map(position) }
}

pub(super) fn vote_answer(answer: &VoteAnswer) -> VoteResponse<u64> {
    VoteResponse::new(raft_vote(answer.vote), answer.last.map(log_id), answer.granted)
}
