//! Where a record stands.

use crate::Lsn;

/// What ties a record to its place, so that a sound record at a wrong place
/// (stale bytes of an earlier use of the segment, a copy, a gap) is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Its own number.
    pub(crate) lsn: Lsn,
    /// Number of the first record of the group that was synced with it. A
    /// group is written only after the group before it was synced: so a sound
    /// record proves that everything before its group was durable.
    pub(crate) group: Lsn,
    /// The tag of its segment, see [`SegmentHeader`](super::SegmentHeader).
    pub(crate) tag: u64,
    /// Checksum of the record before it, also across segments; 0 for the first.
    pub(crate) previous: u32,
}
