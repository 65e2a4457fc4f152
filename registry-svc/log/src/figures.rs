//! Numbers for whoever watches.

use crate::{Histogram, Space};

/// Counted since the log was opened, unless a line says otherwise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Figures {
    /// Requests accepted.
    pub requests: u64,
    /// Requests refused because the disk was full.
    pub refused_full: u64,
    /// Records written.
    pub records: u64,
    /// Bytes of these records on disk.
    pub bytes: u64,
    /// How often the log was synced, with how long each sync took. Failed
    /// ones count too.
    pub syncs: Histogram,
    /// Marks written.
    pub marks: u64,
    /// Segments made anew.
    pub segments_made: u64,
    /// Segments used again.
    pub segments_recycled: u64,
    /// Segments of the log now, the prepared one included.
    pub segments: u64,
    /// Bytes of them on the disk now.
    pub disk_bytes: u64,
    /// The room on the disk now.
    pub space: Space,
}
