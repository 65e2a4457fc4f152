//! What replicas say to each other. A [`Call`] has an answer; a [`Note`] has
//! none and may get lost.

use bytes::Bytes;
use registry_log::Vote;
use registry_quorum::Position;
use registry_quorum::elections::{Ballot, Opinion};

/// A question to a peer.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Take these entries; without entries, a heartbeat.
    Append(Append),
    /// Vote for me.
    Vote(VoteQuestion),
    /// Do you still hold this term to be mine?
    Confirm {
        /// The asker's term.
        term: u64,
    },
    /// To the leader: up to where does a read have to see?
    ReadIndex {
        /// The term of which the asker holds the asked one to be the leader, if it does: when it asked it had voted
        /// in no later one.
        term: Option<u64>,
    },
    /// For the service above: the consensus passes it on unread.
    Service(Bytes),
}

/// The answer to the [`Call`] of the same name.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// To `Append`.
    Appended(Appended),
    /// To `Vote`.
    Vote(VoteAnswer),
    /// To `Confirm`.
    Confirmed {
        /// The answering peer's term.
        term: u64,
        /// Whether it holds the asker to be the leader of that term.
        yes: bool,
    },
    /// To `ReadIndex`: none when the asked one does not lead.
    ReadIndex(Option<u64>),
    /// To `Service`.
    Service(Bytes),
    /// The asked one cannot do it now.
    Busy,
}

/// Entries for a follower.
#[derive(Debug, Clone, PartialEq)]
pub struct Append {
    /// The leader's vote.
    pub vote: Vote,
    /// The entry before the first one; none at the start of the log.
    pub previous: Option<Position>,
    /// The entries.
    pub entries: Vec<LogRecord>,
    /// Up to where the leader knows the log to be committed.
    pub committed: Option<Position>,
}

/// An entry as it stands in the log: its place, and bytes that only the
/// consensus reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogRecord {
    /// Its place.
    pub at: Position,
    /// What it says, encoded.
    pub bytes: Bytes,
}

/// What became of [`Append`].
#[derive(Debug, Clone, PartialEq)]
pub enum Appended {
    /// All of it is on the disk.
    All,
    /// On the disk up to here; send what follows.
    UpTo(Option<Position>),
    /// The entry before the first one is not the one here.
    Conflict,
    /// A higher vote is known.
    Outvoted(Vote),
}

/// Vote for me.
#[derive(Debug, Clone, PartialEq)]
pub struct VoteQuestion {
    /// The candidate's vote.
    pub vote: Vote,
    /// The end of its log.
    pub last: Option<Position>,
}

/// The answer to a [`VoteQuestion`].
#[derive(Debug, Clone, PartialEq)]
pub struct VoteAnswer {
    /// The vote of the answering peer after it was asked.
    pub vote: Vote,
    /// Whether that is a yes.
    pub granted: bool,
    /// The end of its log.
    pub last: Option<Position>,
}

/// A word to a peer, without an answer. Notes of one link arrive in order, or
/// not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// Would you vote for me?
    PreVoteAsked(Ballot),
    /// What I would do.
    PreVoteAnswered(Opinion),
    /// I do not lead until further notice.
    Resigned {
        /// My term.
        term: u64,
    },
    /// Stand for election: I hand over.
    TakeOver {
        /// My term.
        term: u64,
        /// The end of my log, which you must have.
        last: Position,
    },
    /// I do not take over.
    TakeOverRefused,
}
