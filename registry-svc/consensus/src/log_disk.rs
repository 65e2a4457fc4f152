//! The disk under the log, as [`registry_log::Log`] is one. A simulation puts
//! one there that forgets what was not synced.

use registry_log::{
    Durable, Entry, Extent, Fault, Figures, Limit, Log, Lsn, Position, ReadError, Refused, Vote, Write,
};
use std::ops::Range;

/// Called once, in the order of submission, when a write is durable or failed.
pub type Done = Box<dyn FnOnce(Result<Lsn, Fault>) + Send>;

/// The disk under the log. What each method promises stands at [`Log`]'s
/// method of the same name.
pub trait LogDisk: Send + Sync + 'static {
    /// Submits a write; order of submission is order on disk.
    ///
    /// # Errors
    /// See [`Refused`]; nothing happened then, and `done` is never called.
    fn submit(&self, write: Write, done: Done) -> Result<Lsn, Refused>;
    /// Consecutive entries from the start of the range.
    ///
    /// # Errors
    /// Purged, or unreadable.
    fn read(&self, range: Range<u64>, limit: Limit) -> Result<Vec<Entry>, ReadError>;
    /// What the log holds.
    fn extent(&self) -> Extent;
    /// Term of an entry that is held.
    fn term(&self, index: u64) -> Option<u64>;
    /// The last vote.
    fn vote(&self) -> Option<Vote>;
    /// How far the disk has come.
    fn durable(&self) -> Durable;
    /// Notes the committed position; lost with a crash, never wrong.
    fn set_committed(&self, committed: Option<Position>);
    /// The committed position as noted.
    fn committed(&self) -> Option<Position>;
    /// Numbers for whoever watches.
    fn figures(&self) -> Figures;
    /// Bytes that the entries of one append may take.
    fn largest_append(&self) -> u64;
}

impl LogDisk for Log {
    fn submit(&self, write: Write, done: Done) -> Result<Lsn, Refused> {
        Self::submit(self, write, done)
    }

    fn read(&self, range: Range<u64>, limit: Limit) -> Result<Vec<Entry>, ReadError> {
        Self::read(self, range, limit)
    }

    fn extent(&self) -> Extent {
        Self::extent(self)
    }

    fn term(&self, index: u64) -> Option<u64> {
        Self::term(self, index)
    }

    fn vote(&self) -> Option<Vote> {
        Self::vote(self)
    }

    fn durable(&self) -> Durable {
        Self::durable(self)
    }

    fn set_committed(&self, committed: Option<Position>) {
        Self::set_committed(self, committed);
    }

    fn committed(&self) -> Option<Position> {
        Self::committed(self)
    }

    fn figures(&self) -> Figures {
        Self::figures(self)
    }

    fn largest_append(&self) -> u64 {
        Self::largest_append(self)
    }
}
