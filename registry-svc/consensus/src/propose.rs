//! Writing.

use crate::consensus::Inner;
use crate::{Answers, Payload, ReplicaId};
use openraft::error::{ClientWriteError, Fatal, RaftError};

/// Why there are no answers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProposeFault {
    /// Another replica leads, or none does: nothing was written.
    #[error("this replica does not lead the cluster")]
    NotLeader {
        /// Who leads, as far as it knows.
        leader: Option<ReplicaId>,
    },
    /// This replica lost the lead meanwhile; what was written may or may not be committed.
    #[error("leadership was lost before the change was committed; whether it will be is open")]
    Unknown,
    /// The replica is closing, or its disk or machine failed; what was written may or may not be committed.
    #[error("the registry is closing")]
    Closing,
}

pub(crate) async fn propose(inner: &Inner, batch: Payload, only_in: Option<u64>) -> Result<Answers, ProposeFault> {
    let mut standing = inner.standing.clone();
    let term = {
        let now = standing.borrow_and_update();
        if now.fault.is_some() {
            return Err(ProposeFault::Closing);
        }
        // A moment later it is known to everybody, and somebody else leads.
        let full = inner.edge.is_full(batch.bytes().len() as u64);
        let other_term = only_in.is_some_and(|term| term != now.term);
        if !now.leads() || now.holds || full || other_term {
            return Err(ProposeFault::NotLeader { leader: now.leader.filter(|leader| *leader != inner.me) });
        }
        now.term
    };
    let written = inner.raft.client_write(batch);
    tokio::pin!(written);
    loop {
        tokio::select! {
            biased;
            written = &mut written => return written.map(|done| done.data).map_err(|error| fault(&error)),
            () = inner.stop.cancelled() => return Err(ProposeFault::Closing),
            changed = standing.changed() => {
                if changed.is_err() {
                    return Err(ProposeFault::Closing);
                }
                let now = standing.borrow_and_update();
                // The library answers a lost write only when another one takes its place in the log.
                if now.leader != Some(inner.me) || now.term != term || now.suspended.is_some() {
                    return Err(ProposeFault::Unknown);
                }
            }
        }
    }
}

fn fault(error: &RaftError<u64, ClientWriteError<u64, openraft::EmptyNode>>) -> ProposeFault {
    match error {
        // Either it was refused because somebody else leads by now, or it was written, and another entry took its place
        // here: then it may still be committed by a replica that has it. The library says the same of both.
        RaftError::APIError(ClientWriteError::ForwardToLeader(_)) => ProposeFault::Unknown,
        // Only a change of the members is answered so.
        RaftError::APIError(ClientWriteError::ChangeMembershipError(_)) => ProposeFault::Unknown,
        RaftError::Fatal(Fatal::StorageError(_) | Fatal::Panicked | Fatal::Stopped) => ProposeFault::Closing,
    }
}
