//! What may be asked of the log.

use crate::{Entry, Position, Vote};

/// A request. Requests take effect, and become durable, in the order in which
/// they were submitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Adds entries at the end. The first one follows the last entry (or the
    /// purge position) without a gap; a log that never held anything begins
    /// at any index.
    Append(Vec<Entry>),
    /// Removes the entries from this index on.
    Truncate {
        /// The first index to go.
        from: u64,
    },
    /// Removes the entries up to and including this one. Beyond the last
    /// entry it empties the log, which then goes on behind this position.
    Purge {
        /// The last position to go.
        upto: Position,
    },
    /// Replaces the vote.
    Vote(Vote),
    /// Writes nothing; it is answered when everything before it is durable.
    Flush,
}
