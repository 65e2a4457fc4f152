//! What the elections want done. Each is safe to do twice and to lose: what
//! matters is asked for again.

use super::{Ballot, HandOverEnd, Mandate, Opinion, Why};
use crate::{Position, ReplicaId};

/// Something to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Do {
    /// Dial this peer at once, whatever the back-off says, and tell how it went.
    Redial(ReplicaId),
    /// Ask every other voter.
    AskPreVote(Ballot),
    /// Answer a peer. It may get a second, better answer to the same question.
    AnswerPreVote {
        /// The asker.
        to: ReplicaId,
        /// The answer.
        opinion: Opinion,
    },
    /// Let the Raft library stand for the next term, now or never: when its core waits for a flush, drop it, as later
    /// it would disturb whoever leads by then.
    Stand(Mandate),
    /// Stop leading without giving up the term: heartbeats off, appends withheld, proposals refused or forwarded,
    /// sessions ended.
    Suspend(Why),
    /// Tell every voter that the leader of this term, we, does not lead until it is heard again.
    Resign {
        /// Our term.
        term: u64,
    },
    /// The end of [`Do::Suspend`]: leading again, or leading no more.
    Resume,
    /// Ask every voter whether it still holds this term to be ours; `QuorumAcked` or `TermSeen` tells. No heartbeat:
    /// the peers do not take it for a sign of a leader.
    Confirm {
        /// Our term.
        term: u64,
    },
    /// Keep proposals in the queue.
    HoldProposals,
    /// Ask the heir to stand.
    SendTakeOver {
        /// The heir.
        to: ReplicaId,
        /// Our term.
        term: u64,
        /// The end of our log, which it has to have.
        last: Position,
    },
    /// Tell the leader that we do not take over.
    RefuseTakeOver {
        /// The leader.
        to: ReplicaId,
    },
    /// The queue moves again: forwarded to the new leader, or proposed here.
    HandOverEnded(HandOverEnd),
}
