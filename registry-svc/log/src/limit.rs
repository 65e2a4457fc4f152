//! How much a read may bring.

/// A read ends before it exceeds either number; but one entry is always read,
/// however large, or a reader could never go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// Entries at most.
    pub entries: usize,
    /// Bytes of payload at most.
    pub bytes: usize,
}
