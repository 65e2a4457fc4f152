//! Why a replica holds that nobody leads.

use std::fmt;

/// What speaks against the leader. Any of it is enough to suspect; only a
/// majority that suspects is enough to act.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// Its link broke and a re-dial was refused: the host answers, the process is gone.
    Refused,
    /// It came back as a new process; leadership is never resumed.
    Restarted,
    /// It asks us for a vote itself, from a later term.
    MovedOn,
    /// It said that it does not lead until further notice.
    Resigned,
    /// Its link is down and nobody answers.
    Unanswered,
    /// Nothing was heard of a leader for an election timeout.
    Silence,
    /// There is no other voter.
    Alone,
    /// A candidate raised the term and has not won in time.
    Vacant,
}

impl Evidence {
    /// Whether it holds for the rest of the term: no sign of the leader that comes later was sent later.
    pub(super) fn is_final(self) -> bool {
        match self {
            Self::Restarted | Self::MovedOn => true,
            Self::Refused | Self::Resigned | Self::Unanswered | Self::Silence | Self::Alone | Self::Vacant => false,
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Refused => "its process is gone: the connection broke and a new one was refused",
            Self::Restarted => "its process was started anew",
            Self::MovedOn => "it is in a later term and does not lead it",
            Self::Resigned => "it resigned",
            Self::Unanswered => "its connection broke and nobody answers",
            Self::Silence => "nothing was heard for an election timeout",
            Self::Alone => "there is no other voter",
            Self::Vacant => "the last candidate did not win",
        })
    }
}
