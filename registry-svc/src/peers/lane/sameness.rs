//! When two appends are one. The Raft library repeats an append that is not
//! answered within a heartbeat; over a link that is slower than that, every
//! answer would come too late, and the same entries would be sent without
//! end. So a repeated append joins the one that is under way and gets its
//! answer.
//!
//! The same vote is the same leader, which has written one log: appends that
//! follow the same entry begin alike. One that has more to say than what is
//! under way is told how far that came, and sends what follows then.

use registry_consensus::{Answer, Append, Appended, Call, Position, Vote};

/// Appends with equal values are the same, or one begins as the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Sameness {
    term: u64,
    voted_for: Option<u64>,
    committed: bool,
    previous: Option<(u64, u64)>,
    /// A heartbeat says nothing but this.
    heartbeat: Option<Option<(u64, u64)>>,
}

/// The last entry of an append that has entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Wants(Position);

impl Sameness {
    /// Of an append.
    pub(super) fn of(call: &Call) -> Option<(Self, Option<Wants>)> {
        let Call::Append(Append { vote, previous, entries, committed }) = call else { return None };
        let pair = |position: Position| (position.term, position.index);
        let Vote { term, voted_for, committed: granted } = *vote;
        let last = entries.last().map(|entry| entry.at);
        let heartbeat = if last.is_none() { Some(committed.map(pair)) } else { None };
        let same = Self { term, voted_for, committed: granted, previous: previous.map(pair), heartbeat };
        Some((same, last.map(Wants)))
    }
}

impl Wants {
    /// The answer to an append up to here, from the answer to the one that
    /// was sent.
    pub(super) fn of(self, sent: Self, answer: &Answer) -> Answer {
        let reached = match answer {
            Answer::Appended(Appended::All) => sent.0,
            Answer::Appended(Appended::UpTo(Some(reached))) => *reached,
            Answer::Appended(Appended::UpTo(None) | Appended::Conflict | Appended::Outvoted(_))
            | Answer::Vote(_)
            | Answer::Confirmed { .. }
            | Answer::ReadIndex(_)
            | Answer::Service(_)
            | Answer::Busy => return answer.clone(),
        };
        let appended = if reached >= self.0 { Appended::All } else { Appended::UpTo(Some(reached)) };
        Answer::Appended(appended)
    }
}
