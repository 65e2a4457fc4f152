//! How a log is kept.

use crate::Notify;
use crate::format::BLOCK;

/// Sizes, all in bytes.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Size of a new segment; 64 KiB to 1 GiB, a multiple of 4 KiB. Existing
    /// ones keep theirs. The log holds one more segment than its content needs.
    pub segment_bytes: u64,
    /// A file that only takes room, given up when the disk is full so that
    /// whoever frees space by writing first (a snapshot) can. 0: none.
    pub reserve_bytes: u64,
    /// Payload of the newest entries that stays in memory for readers, apart
    /// from what is not yet durable, which always stays.
    pub tail_bytes: usize,
    /// Whom to tell when space or health change.
    pub notify: Option<Notify>,
}

impl Default for Settings {
    fn default() -> Self {
        Self { segment_bytes: 16 << 20, reserve_bytes: 64 << 20, tail_bytes: 4 << 20, notify: None }
    }
}

impl Settings {
    /// Offsets are kept in 32 bits, and a segment is read whole at the start.
    const SMALLEST: u64 = 64 << 10;
    const LARGEST: u64 = 1 << 30;

    /// Whether the sizes can be used.
    pub(crate) fn are_sound(&self) -> bool {
        (Self::SMALLEST..=Self::LARGEST).contains(&self.segment_bytes) && self.segment_bytes.is_multiple_of(BLOCK)
    }
}
