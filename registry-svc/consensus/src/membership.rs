//! Changing who takes part. One change at a time; the voters change through a
//! joint configuration, which a new leader finishes when the old one dies in
//! the middle of it (`registry_quorum::members` decides which steps are left).

use crate::consensus::Consensus;
use crate::library::ConsensusError;
use crate::{Position, ReplicaId};
use openraft::error::{ChangeMembershipError, ClientWriteError, RaftError};
use openraft::{ChangeMembers, EmptyNode};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How far a replica and, if it leads, the others have come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reached {
    /// The last entry of the log.
    pub last: Option<Position>,
    /// The last applied entry.
    pub applied: Option<Position>,
    /// The last entry in the newest snapshot.
    pub snapshot: Option<Position>,
    /// The last entry that was purged from the log.
    pub purged: Option<Position>,
    /// Leading only: up to where each other replica is known to have the log.
    pub matched: BTreeMap<ReplicaId, Option<u64>>,
    /// Leading only: how long ago the last message that each other replica acknowledged was sent.
    pub silent: BTreeMap<ReplicaId, Duration>,
}

impl Consensus {
    /// How far this replica has come.
    #[must_use]
    pub fn reached(&self) -> Reached {
        use crate::library::position;
        let data = self.inner.raft.data_metrics();
        let data = data.borrow();
        let matched = data.replication.iter().flatten();
        Reached {
            last: data.last_log.map(position),
            applied: data.last_applied.map(position),
            snapshot: data.snapshot.map(position),
            purged: data.purged.map(position),
            matched: matched.map(|(id, at)| (ReplicaId(*id), at.map(|at| at.index))).collect(),
            silent: self.inner.signs.silent(),
        }
    }

    /// Leading only: the term, and up to where each other replica has acknowledged the log in it.
    #[must_use]
    pub fn acknowledged(&self) -> Option<(u64, BTreeMap<ReplicaId, u64>)> {
        let metrics = self.inner.raft.metrics();
        let metrics = metrics.borrow();
        let known = metrics.replication.as_ref()?;
        let acked = known.iter().filter_map(|(id, at)| Some((ReplicaId(*id), (*at)?.index)));
        Some((metrics.vote.leader_id.term, acked.collect()))
    }

    /// Lets a replica receive the log, without a vote. Harmless when it does already.
    ///
    /// # Errors
    /// This replica does not lead, or another change is under way.
    pub async fn add_learner(&self, id: ReplicaId) -> Result<(), ConsensusError> {
        let added = self.inner.raft.add_learner(id.0, EmptyNode::new(), false).await;
        added.map(drop).map_err(|error| refused(&error))
    }

    /// Makes exactly these the voters, through a joint configuration. Those
    /// who lose their vote are no longer members.
    ///
    /// # Errors
    /// This replica does not lead, another change is under way, or one of them
    /// is not a member yet.
    pub async fn set_voters(&self, voters: &BTreeSet<ReplicaId>) -> Result<(), ConsensusError> {
        let (raft, ids): (_, BTreeSet<u64>) = (self.inner.raft.clone(), voters.iter().map(|id| id.0).collect());
        // It has two steps, and whoever asked may give up between them.
        let set = tokio::spawn(async move { raft.change_membership(ids, false).await }).await;
        let set = set.map_err(|panicked| ConsensusError::Stopped(panicked.to_string()))?;
        set.map(drop).map_err(|error| refused(&error))
    }

    /// Stops sending the log to a replica without a vote.
    ///
    /// # Errors
    /// As [`add_learner`](Self::add_learner).
    pub async fn remove_learner(&self, id: ReplicaId) -> Result<(), ConsensusError> {
        let change = ChangeMembers::RemoveNodes(BTreeSet::from([id.0]));
        let removed = self.inner.raft.change_membership(change, false).await;
        removed.map(drop).map_err(|error| refused(&error))
    }
}

fn refused(error: &RaftError<u64, ClientWriteError<u64, EmptyNode>>) -> ConsensusError {
    match error {
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ConsensusError::NotLeader,
        RaftError::APIError(ClientWriteError::ChangeMembershipError(ChangeMembershipError::InProgress(_))) => {
            ConsensusError::Refused("another change of the members is under way; try again".to_owned())
        }
        RaftError::APIError(ClientWriteError::ChangeMembershipError(error)) => {
            ConsensusError::Refused(error.to_string())
        }
        RaftError::Fatal(fatal) => ConsensusError::Stopped(fatal.to_string()),
    }
}

/// Keeps links to whoever takes part, or will.
pub(crate) async fn follow(consensus: Consensus) {
    let inner = consensus.inner;
    let (mut standing, mut expected) = (inner.standing.clone(), inner.expected.subscribe());
    loop {
        let mut members = standing.borrow_and_update().members.all();
        if !members.contains(&inner.me) {
            // A log that is only being received may say who they were long ago.
            members.extend(expected.borrow_and_update().iter().copied());
        }
        let others: Vec<ReplicaId> = members.into_iter().filter(|id| *id != inner.me).collect();
        inner.peers.set_members(&others);
        tokio::select! {
            biased;
            () = inner.stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
            // The sender is ours.
            _ = expected.changed() => {}
        }
    }
}
