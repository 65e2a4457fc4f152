//! Why a request was not accepted.

use crate::Fault;

/// The request had no effect at all, and its callback is never called.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Refused {
    /// The entries do not follow the log, or each other.
    #[error("entry {found} does not follow: {expected} would")]
    Gap {
        /// The index that would.
        expected: u64,
        /// The one that came.
        found: u64,
    },
    /// It would remove what is purged already.
    #[error("cannot truncate from {from}: everything up to {purged} is purged")]
    Purged {
        /// The asked index.
        from: u64,
        /// The purged one.
        purged: u64,
    },
    /// The request would not fit into a segment; see [`Log::largest_append`](crate::Log::largest_append).
    #[error("the entries take {bytes} bytes, {most} are allowed at once")]
    TooLarge {
        /// Bytes of the request on disk.
        bytes: u64,
        /// Bytes at most.
        most: u64,
    },
    /// The disk is full. It may be asked again; see [`Notice::Space`](crate::Notice::Space).
    /// Votes, truncations and purges have some room of their own: hundreds of
    /// them still go before they are refused too.
    #[error("the disk is full")]
    DiskFull,
    /// The log failed earlier, or is closed.
    #[error(transparent)]
    Failed(Fault),
}
