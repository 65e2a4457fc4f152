//! Where the next record goes. Places are given when a request is accepted,
//! so that a full disk is an answer then and never a surprise afterwards.

use super::Place;
use crate::format::{BLOCK, LARGEST_CHANGE};
use std::collections::VecDeque;

/// The active segment and those that are ready to be written after it.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    segment: u64,
    offset: u64,
    bytes: u64,
    /// Number and size of each.
    ready: VecDeque<(u64, u64)>,
}

/// Room in the last ready segment that entries leave free, so that votes,
/// truncations and purges, which help a full disk, still go: some 600 of them.
const MARGIN: u64 = 64 << 10;

/// The margin in a segment of this size.
fn margin(bytes: u64) -> u64 {
    MARGIN.min(bytes / 8)
}

impl Layout {
    /// Goes on at an offset of a segment.
    pub(crate) fn new(segment: u64, offset: u64, bytes: u64) -> Self {
        Self { segment, offset, bytes, ready: VecDeque::new() }
    }

    /// The most that entries accepted together may take with this size of segments.
    pub(crate) fn largest(bytes: u64) -> u64 {
        bytes - BLOCK - LARGEST_CHANGE - margin(bytes)
    }

    /// A segment may be written after the others.
    pub(crate) fn add(&mut self, number: u64, bytes: u64) {
        self.ready.push_back((number, bytes));
    }

    #[cfg(test)]
    fn segment(&self) -> u64 {
        self.segment
    }

    pub(crate) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// Whether a record fits into the active segment.
    pub(crate) fn fits(&self, size: u64) -> bool {
        self.offset + size <= self.bytes
    }

    /// Takes room in the active segment, where it [`fits`](Self::fits).
    pub(crate) fn take(&mut self, size: u64) -> Place {
        debug_assert!(self.fits(size));
        // A segment has at most 2^30 bytes.
        let place = Place { segment: self.segment, offset: self.offset as u32, size: size as u32 };
        self.offset += size;
        place
    }

    /// Goes over to the next segment; `false` when none is ready.
    pub(crate) fn roll(&mut self) -> bool {
        let Some((segment, bytes)) = self.ready.pop_front() else { return false };
        (self.segment, self.offset, self.bytes) = (segment, BLOCK, bytes);
        true
    }

    /// Bytes that entries may take in what is ready, if they are small against
    /// a segment: what does not fit at the end of one is lost to them.
    pub(crate) fn room(&self) -> u64 {
        let ready = self.ready.iter().map(|(_, bytes)| bytes - BLOCK - LARGEST_CHANGE);
        let last = self.ready.back().map_or(self.bytes, |(_, bytes)| *bytes);
        (self.bytes - self.offset + ready.sum::<u64>()).saturating_sub(margin(last))
    }

    /// Whether records of these sizes fit into what is ready, each segment's
    /// head included.
    pub(crate) fn has_room(&self, sizes: impl IntoIterator<Item = u64>, keeps_margin: bool) -> bool {
        let (mut offset, mut bytes) = (self.offset, self.bytes);
        let mut ready = self.ready.iter();
        for size in sizes {
            if offset + size > bytes {
                let Some((_, next)) = ready.next() else { return false };
                (offset, bytes) = (BLOCK + LARGEST_CHANGE, *next);
            }
            offset += size;
        }
        let is_last = ready.next().is_none();
        offset <= bytes && !(keeps_margin && is_last && offset + margin(bytes) > bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BYTES: u64 = 64 << 10;

    #[test]
    fn entries_leave_the_margin_of_the_last_segment_to_votes() {
        let mut layout = Layout::new(1, BLOCK, BYTES);
        let most = BYTES - BLOCK - margin(BYTES);
        assert!(layout.has_room([most], true));
        assert!(!layout.has_room([most + 8], true));
        assert!(layout.has_room([most + 8], false));
        layout.add(2, BYTES);
        assert!(layout.has_room([most + 8], true), "the margin is in the next segment then");
    }

    #[test]
    fn the_room_is_what_entries_may_take() {
        let mut layout = Layout::new(1, BYTES - 96, BYTES);
        assert_eq!(layout.room(), 0, "the margin is not theirs");
        layout.add(2, BYTES);
        let room = layout.room();
        assert_eq!(room, 96 + BYTES - BLOCK - LARGEST_CHANGE - margin(BYTES));
        assert!(layout.has_room([room - 96], true) && !layout.has_room([room - 96 + 8], true));
    }

    #[test]
    fn what_is_promised_together_fits_when_it_is_placed() {
        let mut layout = Layout::new(1, BYTES - 96, BYTES);
        layout.add(2, BYTES);
        let sizes = [64, Layout::largest(BYTES) - 128, 128];
        assert!(layout.has_room(sizes, true));
        for size in sizes {
            if !layout.fits(size) {
                assert!(layout.roll());
                layout.take(LARGEST_CHANGE);
            }
            layout.take(size);
        }
        assert_eq!(layout.segment(), 2);
        assert!(!layout.roll());
    }

    #[test]
    fn the_largest_request_fits_into_a_fresh_segment() {
        let mut layout = Layout::new(1, BYTES, BYTES);
        layout.add(2, BYTES);
        assert!(layout.has_room([Layout::largest(BYTES)], true));
        assert!(!layout.has_room([Layout::largest(BYTES) + 8], true));
    }
}
