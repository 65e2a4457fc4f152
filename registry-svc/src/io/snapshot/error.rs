//! Why a snapshot cannot be used.

use crate::codec::CodecError;
use std::io::{self, ErrorKind};

/// Why a snapshot cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// It is not what was written.
    #[error("the snapshot {what} is damaged: {why}")]
    Damaged {
        /// Which one.
        what: String,
        /// What does not fit.
        why: String,
    },
    /// A later version wrote it.
    #[error("the snapshot {what} has format {format}, this version knows 2; upgrade it")]
    Format {
        /// Which one.
        what: String,
        /// Its format.
        format: u32,
    },
    /// It cannot be written down or read back.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What the system said.
    #[error("cannot read or write the snapshot {path}")]
    Io {
        /// The file.
        path: String,
        /// Why.
        #[source]
        source: io::Error,
    },
}

impl SnapshotError {
    /// Whether the disk has no room for it, or its user may have no more.
    pub(crate) fn is_for_want_of_room(&self) -> bool {
        match self {
            Self::Io { source, .. } => matches!(source.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded),
            Self::Damaged { .. } | Self::Format { .. } | Self::Codec(_) => false,
        }
    }
}
