//! What an inspection found.

use crate::Position;
use crate::{Extent, Identity, Vote};
use std::path::PathBuf;

/// A sound log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Survey {
    /// Whose log it is.
    pub identity: Identity,
    /// How often it was opened, this time included when it is open. Never
    /// falls while the directory lives: tell it to the peers, who can then
    /// notice a directory that went back.
    pub boot: u64,
    /// The entries.
    pub extent: Extent,
    /// The last vote.
    pub vote: Option<Vote>,
    /// The last known committed position; may lag behind by a moment.
    pub committed: Option<Position>,
    /// Records read and verified.
    pub records: u64,
    /// Segments in use.
    pub segments: u64,
    /// Bytes of these segments.
    pub bytes: u64,
    /// Where a crash cut the last write short, if it did. Nothing in there
    /// was ever confirmed.
    pub cut: Option<Cut>,
}

/// A place in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The segment file.
    pub file: PathBuf,
    /// Offset in bytes of the first record that is not whole.
    pub offset: u64,
}
