//! Why a directory is not recovered from.

use crate::home::HomeError;
use crate::io::snapshot::SnapshotError;
use crate::machine::MachineOpenError;
use registry_consensus::{ConsensusError, MachineFault};
use registry_log::{Fault, ReadError, Refused};
use registry_quorum::recovery::RecoveryRefusal;
use std::io;
use std::path::PathBuf;

/// Why a directory is not recovered from.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The directory cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// There is nothing to recover.
    #[error("the data directory {} was never part of a cluster: there is nothing to recover", .0.display())]
    NotFounded(PathBuf),
    /// There is a better way.
    #[error(transparent)]
    Refused(#[from] RecoveryRefusal),
    /// The state cannot be read.
    #[error(transparent)]
    Machine(#[from] MachineOpenError),
    /// An entry cannot be applied.
    #[error(transparent)]
    Apply(#[from] MachineFault),
    /// An entry cannot be read.
    #[error(transparent)]
    Entry(#[from] ConsensusError),
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// Entries are missing between state and log.
    #[error(
        "entries {from} to {to} are neither in the state nor in the log of this directory: recover from another one"
    )]
    Hole {
        /// The first that is missing.
        from: u64,
        /// The last.
        to: u64,
    },
    /// The snapshot cannot be written.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The new log takes nothing.
    #[error("the new log cannot be written")]
    Write(#[source] Refused),
    /// The new log failed.
    #[error("the new log cannot be written")]
    Disk(#[source] Fault),
    /// The system said no.
    #[error("cannot {doing} {}", path.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl RecoveryError {
    pub(super) fn io(doing: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::Io { doing, path, source }
    }
}
