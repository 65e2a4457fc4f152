//! Where a record lies.

/// 32 bits are enough: a segment has at most 2^30 bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) segment: u64,
    /// Offset in bytes.
    pub(crate) offset: u32,
    /// Bytes on the disk.
    pub(crate) size: u32,
}

impl Place {
    /// Offset of what comes next.
    pub(crate) fn end(&self) -> u64 {
        u64::from(self.offset) + u64::from(self.size)
    }
}
