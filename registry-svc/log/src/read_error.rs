//! Why a read failed.

use crate::Damage;
use std::io;
use std::path::PathBuf;

/// No entries.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The read would begin before the first entry.
    #[error("entries before {first} are purged")]
    Purged {
        /// The first index that is left, or would come next.
        first: u64,
    },
    /// The disk lost what it held.
    #[error("{} is damaged at offset {offset}: {damage}", file.display())]
    Damaged {
        /// The segment file.
        file: PathBuf,
        /// Offset in bytes.
        offset: u64,
        /// What is wrong.
        damage: Damage,
    },
    /// The system cannot read it.
    #[error("cannot read {}", file.display())]
    Io {
        /// The segment file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}
