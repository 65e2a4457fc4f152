//! One entry.

use crate::Position;
use bytes::Bytes;

/// An entry of the log. The payload is opaque and may be empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub at: Position,
    /// What it says. Cloning shares the bytes.
    pub payload: Bytes,
}
