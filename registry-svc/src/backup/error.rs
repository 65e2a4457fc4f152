//! Why a backup cannot be used.

use std::io;

/// Why a backup cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// It is something else.
    #[error("this is no backup of a registry: it does not begin as one")]
    NotABackup,
    /// A later version wrote it.
    #[error("the backup has format {0}, this version knows 1; use a later version")]
    Format(u32),
    /// It is not what was written.
    #[error("the backup is damaged at byte {offset}: {why}")]
    Damaged {
        /// Where the damage was seen: at it, or soon after.
        offset: u64,
        /// What does not fit.
        why: &'static str,
    },
    /// The state cannot be written down.
    #[error("the state cannot be written down")]
    Encode(#[source] rmp_serde::encode::Error),
    /// What the system said.
    #[error("cannot read the backup")]
    Io(#[from] io::Error),
}
