//! What the elections are told. Everything is in the past tense and may come
//! late, twice or never.

use super::{Ballot, Opinion, Standing};
use crate::{Millis, Position, ReplicaId};

/// Something that this replica saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Saw {
    /// Time passed; told at [`Elections::next_deadline`](super::Elections::next_deadline).
    Tick,
    /// The leader of `term` sent entries, a heartbeat or a piece of a snapshot, and the Raft library took it.
    Heard {
        /// The sender.
        from: ReplicaId,
        /// Its term.
        term: u64,
    },
    /// A link stands. `boot` grows with each start of the peer's process.
    LinkUp {
        /// The other end.
        peer: ReplicaId,
        /// Which start of its process answered.
        boot: u64,
    },
    /// A link broke, or a dial failed.
    LinkDown {
        /// The other end.
        peer: ReplicaId,
        /// A dial was answered with a refusal: nobody listens there.
        refused: bool,
    },
    /// The Raft library's view changed.
    Standing(Standing),
    /// A peer asks whether it may stand.
    PreVoteAsked {
        /// The asker.
        from: ReplicaId,
        /// What it shows.
        ballot: Ballot,
    },
    /// A peer answered our question.
    PreVoteAnswered {
        /// The peer.
        from: ReplicaId,
        /// Its answer.
        opinion: Opinion,
    },
    /// The leader of `term` suspended itself and says so.
    Resigned {
        /// The leader.
        from: ReplicaId,
        /// Its term.
        term: u64,
    },
    /// Leading: a majority acknowledged messages that were sent at `sent`, or confirmed the term in a round begun then.
    QuorumAcked {
        /// When the round began on this replica's clock; the answers may be older than they look.
        sent: Millis,
    },
    /// A voter answered with a term above ours.
    TermSeen(u64),
    /// The oldest write has waited for its flush for more than an election timeout, or no longer does.
    DiskStalled(bool),
    /// The log cannot take another record, or can again.
    DiskFull(bool),
    /// Leadership is to be handed over: to this replica, or to the best one.
    HandOverAsked {
        /// The heir.
        to: Option<ReplicaId>,
    },
    /// The leader asks us to take over.
    TakeOverAsked {
        /// The leader.
        from: ReplicaId,
        /// Its term.
        term: u64,
        /// The end of its log.
        last: Position,
    },
    /// The replica that was to take over will not.
    TakeOverRefused {
        /// The replica.
        from: ReplicaId,
    },
}
