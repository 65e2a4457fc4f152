//! A place in the Raft log. Ordered as Raft's election restriction orders
//! logs: first by term, then by index.

use std::fmt;

/// A place in the Raft log; the default is the place before the first entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// The term in which the entry was proposed.
    pub term: u64,
    /// Its number in the log.
    pub index: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "entry {} of term {}", self.index, self.term)
    }
}
