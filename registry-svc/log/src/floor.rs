//! What is known about a log from elsewhere.

use crate::Position;

/// The least that a log must hold. A whole directory that went back (a copy,
/// an old disk image) fits together and cannot be told from a current one by
/// looking at it alone; somebody outside has to remember.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Floor {
    /// The highest [`boot`](crate::Survey::boot) that anybody saw of this log.
    pub boot: u64,
    /// A committed position that this log once held, as the state machine or
    /// a peer knows it.
    pub committed: Option<Position>,
}
