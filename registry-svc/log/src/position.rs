//! Places in the log.

use std::fmt;

/// Number of a record, counted over the life of a log from 1. It only grows,
/// also when entries are truncated; 0 is "before everything".
pub type Lsn = u64;

/// An entry's place. Ordered by term, then index, as Raft compares logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    /// Term of the leader that made the entry.
    pub term: u64,
    /// Index in the log.
    pub index: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.index, self.term)
    }
}
