//! Everything outside: one file for each.
//!
//! | module | outside thing |
//! |---|---|
//! | [`data_dir`] | the directory: lock, layout, fsync |
//! | [`identity`] | the mark that this directory has been founded |
//! | [`log`] | Raft log and vote, in redb |
//! | [`state_store`] | rows of the state, in sled |
//! | [`snapshot`] | snapshot files |
//! | `applied_record` | a position and its members, as they stand on disk |
//! | [`state_machine`], `leader_book` | the machine as openraft asks for it |
//! | [`network`] | peers |
//! | [`tuning`] | openraft's numbers, with reasons |

pub(crate) mod applied_record;
pub mod data_dir;
pub(crate) mod failpoint;
pub mod identity;
mod leader_book;
pub mod log;
pub mod network;
pub mod snapshot;
pub mod state_machine;
pub mod state_store;
pub mod tuning;
pub mod type_config;

pub use leader_book::LeaderBookError;

use openraft::{ErrorSubject, ErrorVerb, StorageError, StorageIOError};
use std::error::Error;

/// Runs storage work away from the runtime's threads. A panic in it is an
/// error too: a damaged page can panic a storage engine, and must never read
/// as "empty".
pub(crate) async fn blocking<T, E>(
    subject: ErrorSubject<u64>,
    verb: ErrorVerb,
    work: impl FnOnce() -> Result<T, E> + Send + 'static,
) -> Result<T, StorageError<u64>>
where
    T: Send + 'static,
    E: Error + Send + 'static,
{
    let done = tokio::task::spawn_blocking(work).await;
    let fault = |source: &(dyn Error + 'static)| {
        tracing::error!(error = source, "storage failed");
        StorageIOError::new(subject.clone(), verb, openraft::AnyError::error(chain(source))).into()
    };
    match done {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(fault(&error)),
        Err(panicked) => Err(fault(&panicked)),
    }
}

/// An error with its causes, in one line.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        text = format!("{text}: {next}");
        cause = next.source();
    }
    text
}
