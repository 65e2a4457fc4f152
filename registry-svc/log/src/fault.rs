//! The end of a log.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

/// Why the log stopped. What was not yet confirmed may or may not be on the
/// disk; nothing more is written or synced, because after a failed sync the
/// system may report success for data that it has dropped. End the process
/// and open the log anew.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// The system failed to do it.
    #[error("cannot {doing} {}", file.display())]
    Io {
        /// What was being done.
        doing: &'static str,
        /// To which file.
        file: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// One of the log's threads panicked, perhaps in a callback.
    #[error("a thread of the log panicked")]
    Panicked,
    /// The log was closed before the request was done. It accepted no such
    /// request after [`close`](crate::Log::close) began.
    #[error("the log is closed")]
    Closed,
}

impl Fault {
    pub(crate) fn io(doing: &'static str, file: impl Into<PathBuf>, source: io::Error) -> Self {
        Self::Io { doing, file: file.into(), source: Arc::new(source) }
    }
}
