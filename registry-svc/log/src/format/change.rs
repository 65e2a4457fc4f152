//! What a record says.

use super::Head;
use crate::{Position, Vote};

/// One change of the log. An entry's payload is kept apart: whoever replays a
/// log needs to know only where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// A segment begins, or the log was opened.
    Head(Head),
    /// An entry was added.
    Entry(Position),
    /// Entries were removed from the end.
    Truncate {
        /// The first index that went.
        from: u64,
        /// What is last now; it may stand in a segment that is gone.
        last: Option<Position>,
    },
    /// Entries were removed from the beginning, up to this one.
    Purge(Position),
    /// The vote was replaced.
    Vote(Vote),
}
