//! What is replicated. It lives in memory: an entry that is applied again
//! after a restart comes from the log, so applying touches no disk.

use crate::{Answers, Committed, Members, Snapshot, SnapshotMeta, SnapshotSink};
use futures::future::BoxFuture;
use registry_quorum::Position;
use std::fmt;

/// The replicated state.
pub trait Machine: Send + Sync + 'static {
    /// Applies entries, in the order of the log and each once since the
    /// machine was opened. No I/O and no waiting: it runs between two messages
    /// of the Raft library. Answers one for each entry; those of entries
    /// without commands are empty.
    ///
    /// # Errors
    /// It does not know what an entry says (a later version wrote it), or
    /// memory and rules disagree. The process ends: nothing is ever skipped.
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault>;

    /// Up to where it has applied, and the members as of there.
    fn applied(&self) -> Applied;

    /// Freezes the state as it is now and makes a snapshot of it. On return
    /// the snapshot is durable, so that the log before it may be purged.
    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>>;

    /// The newest snapshot that there is.
    ///
    /// # Errors
    /// It cannot be read, or is damaged.
    fn newest_snapshot(&self) -> Result<Option<Snapshot>, MachineFault>;

    /// Prepares to receive a snapshot from a peer, or goes on with one of the
    /// same id that was interrupted.
    ///
    /// # Errors
    /// There is no room for it.
    fn receive_snapshot(&self, meta: &SnapshotMeta, bytes: u64) -> Result<Box<dyn SnapshotSink>, MachineFault>;

    /// Replaces the state by that of the snapshot, which is verified before
    /// anything changes. Durable on return.
    fn install_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<(), MachineFault>>;
}

/// Up to where a machine has come.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Applied {
    /// The last applied entry.
    pub at: Option<Position>,
    /// The last applied change of the members; none before the first.
    pub members_at: Option<Position>,
    /// The members as of there.
    pub members: Members,
}

/// Why the machine cannot go on. Always the end of the process.
#[derive(Debug, thiserror::Error)]
#[error("{doing}")]
pub struct MachineFault {
    /// What failed, as a sentence without its end.
    doing: String,
    /// Why.
    #[source]
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl MachineFault {
    /// A fault with its cause.
    pub fn new(doing: impl fmt::Display, source: impl std::error::Error + Send + Sync + 'static) -> Self {
        Self { doing: doing.to_string(), source: Some(Box::new(source)) }
    }

    /// A fault that is its own cause.
    pub fn because(why: impl fmt::Display) -> Self {
        Self { doing: why.to_string(), source: None }
    }
}
