//! Where a batch goes: into this replica's own log when it leads, else to the
//! replica that does.

use super::ProposeError;
use crate::clock::Clock;
use crate::codec;
use crate::machine::payload;
use crate::peers::AddressBook;
use bytes::Bytes;
use registry_consensus::{Answer, Answers, Call, Consensus, Payload, Peers, ProposeFault, ReplicaId};
use registry_domain::{Refusal, Reply};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// So long no leader may be reached before callers are told, counted from when
/// they came. A client with other replicas to ask is better off with a quick answer.
pub(super) const PATIENCE: Duration = Duration::from_millis(1_800);
/// But at least so long after the first failure: about what an election takes.
pub(super) const ELECTION: Duration = Duration::from_millis(500);
/// A leader that did not answer for so long will not: a commit takes a few
/// flushes, and one whose disk hangs so long hands over.
const SILENCE: Duration = Duration::from_secs(5);
/// A link may come back without any change of the standing.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

type Replies = Vec<Result<Reply, Refusal>>;

/// The way to whoever leads.
pub(crate) struct Way {
    pub(crate) consensus: Consensus,
    pub(crate) peers: Arc<dyn Peers>,
    pub(crate) book: AddressBook,
}

/// Why a leader did not do what was forwarded to it, between replicas.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Turned {
    NotLeader,
    Unknown,
    Closing,
}

impl Way {
    /// Whether this replica leads, in this term.
    pub(super) fn leads_in(&self, term: u64) -> bool {
        self.consensus.standing().borrow().leading() == Some(term)
    }

    /// One attempt; with a term, only as its leader.
    pub(super) async fn write(&self, batch: Payload, only_in: Option<u64>) -> Result<Replies, ProposeError> {
        let (leading, leader, me) = {
            let standing = self.consensus.standing();
            let standing = standing.borrow();
            (standing.leading(), standing.leader, standing.me)
        };
        if only_in.is_some() && only_in != leading {
            return Err(self.no_leader());
        }
        if leading.is_some() {
            let written = match only_in {
                Some(term) => self.consensus.propose_in(term, batch).await,
                None => self.consensus.propose(batch).await,
            };
            return written.map(|answers| answers.0).map_err(|fault| self.failed(&fault));
        }
        let Some(leader) = leader.filter(|leader| *leader != me) else { return Err(self.no_leader()) };
        let mut standing = self.consensus.standing();
        let asked = self.peers.call(leader, Call::Service(batch.bytes().clone()));
        tokio::select! {
            answer = asked => match answer {
                Ok(Answer::Service(bytes)) => read_answer(&bytes).map_err(|turned| self.turned(turned)),
                // It never got there, or it did and the answer did not come back.
                Ok(_) | Err(_) => Err(ProposeError::Unknown),
            },
            // A leader that is cut off or asleep answers nothing, for as long as it is; another one leads by then.
            _ = standing.wait_for(|now| now.leader.is_some_and(|now| now != leader)) => Err(ProposeError::Unknown),
            () = tokio::time::sleep(SILENCE) => Err(ProposeError::Unknown),
        }
    }

    fn failed(&self, fault: &ProposeFault) -> ProposeError {
        match fault {
            ProposeFault::NotLeader { .. } => self.no_leader(),
            ProposeFault::Unknown => ProposeError::Unknown,
            ProposeFault::Closing => ProposeError::Closing,
        }
    }

    fn turned(&self, turned: Turned) -> ProposeError {
        match turned {
            Turned::NotLeader => self.no_leader(),
            // The leader is going, and may have written it before.
            Turned::Unknown | Turned::Closing => ProposeError::Unknown,
        }
    }

    /// The error that says so, with the address of the leader if one is known.
    pub(crate) fn no_leader(&self) -> ProposeError {
        let standing = self.consensus.standing();
        let standing = standing.borrow();
        let leader = standing.leader.filter(|leader| *leader != standing.me);
        ProposeError::NoLeader { leader: leader.and_then(|leader| self.book.of(leader).into_iter().next()) }
    }

    /// Waits until another attempt may go better.
    pub(super) async fn changed(&self) {
        let mut standing = self.consensus.standing();
        standing.mark_unchanged();
        // Which of the two it was does not matter: the next attempt tells.
        if let Ok(Err(_)) = tokio::time::timeout(LOOK_AGAIN, standing.changed()).await {
            // The engine has ended, and nothing will change any more: to try again at once would be to spin.
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }
}

/// What another replica forwards to this one.
pub(crate) async fn answer_peer(consensus: Consensus, clock: Clock, from: ReplicaId, batch: Bytes) -> Answer {
    let Some(batch) = Payload::new(batch) else { return Answer::Busy };
    let batch = payload::taken_in(batch, clock.now());
    let done: Result<Replies, Turned> = match consensus.propose_for(from, batch).await {
        Ok(Answers(replies)) => Ok(replies),
        Err(ProposeFault::NotLeader { .. }) => Err(Turned::NotLeader),
        Err(ProposeFault::Unknown) => Err(Turned::Unknown),
        Err(ProposeFault::Closing) => Err(Turned::Closing),
    };
    codec::encode("an answer to a replica", &done).map_or(Answer::Busy, |bytes| Answer::Service(bytes.into()))
}

fn read_answer(bytes: &[u8]) -> Result<Replies, Turned> {
    let read: Result<Result<Replies, Turned>, _> = codec::decode("an answer of the leader", bytes);
    read.unwrap_or_else(|error| {
        tracing::error!(%error, "cannot read what the leader answered");
        Err(Turned::Unknown)
    })
}
