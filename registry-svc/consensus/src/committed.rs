//! What the log says.

use crate::{Members, Payload};
use registry_quorum::Position;

/// A committed entry: it is on the disks of a majority and never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Committed {
    /// Its place.
    pub at: Position,
    /// What it says.
    pub entry: Entry,
}

/// What an entry says.
#[derive(Debug, Clone, PartialEq)]
pub enum Entry {
    /// A new leader's first entry: it commits everything before it.
    Blank,
    /// The members from here on.
    Members(Members),
    /// Commands.
    Batch(Payload),
}
