//! What the library makes of a failed disk or machine: it stops for good, and
//! says why.

use super::type_config::Raft;
use openraft::{AnyError, ErrorSubject, ErrorVerb, StorageError, StorageIOError};
use std::error::Error;

/// Why there is no consensus to be had.
#[derive(Debug, thiserror::Error)]
pub enum ConsensusError {
    /// The disk or the machine failed; the process has to end.
    #[error("the consensus engine stopped: {0}")]
    Stopped(String),
    /// The change was refused.
    #[error("{0}")]
    Refused(String),
    /// This replica does not lead.
    #[error("this replica does not lead the cluster")]
    NotLeader,
}

pub(super) fn storage(
    subject: ErrorSubject<u64>,
    verb: ErrorVerb,
    error: &(impl Error + 'static),
) -> StorageError<u64> {
    StorageError::IO { source: StorageIOError::new(subject, verb, AnyError::new(error)) }
}

/// Why the engine ended, if it did.
pub(crate) fn broken(raft: &Raft) -> Option<String> {
    use openraft::error::Fatal;
    match &raft.metrics().borrow().running_state {
        Ok(()) | Err(Fatal::Stopped) => None,
        Err(fatal @ (Fatal::StorageError(_) | Fatal::Panicked)) => Some(fatal.to_string()),
    }
}

/// The type that the library's errors speak of.
pub(super) type Storage<T> = Result<T, StorageError<u64>>;
