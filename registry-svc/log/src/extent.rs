//! From where to where.

use crate::Position;

/// What the log holds, durable or about to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// The last purged position.
    pub purged: Option<Position>,
    /// Index of the first entry that can be read; `None` when there is none.
    pub first: Option<u64>,
    /// The last entry, or the last purged one when there is none.
    pub last: Option<Position>,
}
