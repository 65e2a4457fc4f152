//! The Raft log and vote, in redb: two-phase commit, immediate durability,
//! everything verified when it is opened (the measurements behind this are
//! in the design's storage chapter).
//!
//! Whatever is acknowledged here has been fsynced. Damage is an error and
//! never an empty log: a replica that forgets its vote or tail could vote
//! twice.

mod frame;
mod open;
mod raft_log;

use crate::codec::CodecError;
use crate::io::type_config::LogId;
use redb::{Database, Durability, ReadTransaction, TableDefinition, WriteTransaction};
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

/// Entries by index, each in a [`frame`].
const LOG: TableDefinition<'_, u64, &[u8]> = TableDefinition::new("log");
/// The few single values, each in a [`frame`] too.
const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");
/// Key of the founding mark.
const FOUNDED: &str = "founded";
/// Key of the vote.
const VOTE: &str = "vote";
/// Key of the id of the last entry that was purged.
const PURGED: &str = "purged";

/// Why the log failed. After any error the log is not used further; the
/// process ends and starts anew.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// redb's error.
    #[error("the log file failed")]
    Redb(#[source] Box<redb::Error>),
    /// redb found damage and would go on without what it lost.
    #[error("{} is damaged; restore it, or empty the data directory and rejoin as a new replica", .0.display())]
    Damaged(PathBuf),
    /// A value's checksum is wrong.
    #[error(
        "{what} in the log is damaged; restore the log file, or empty the data directory and rejoin as a new replica"
    )]
    BadFrame {
        /// Which value.
        what: String,
    },
    /// It belongs to another directory, or was made anew.
    #[error("the log file is not the one that this directory was founded with")]
    Foreign,
    /// An index is missing.
    #[error("the log has a gap: entry {expected} is missing, {found} follows")]
    Gap {
        /// The missing index.
        expected: u64,
        /// The next one.
        found: u64,
    },
    /// A value cannot be written down or read back.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What the system said.
    #[error("cannot create or sync the log file")]
    Io(#[from] std::io::Error),
    /// The registry is closing.
    #[error("the log is closed")]
    Closed,
}

macro_rules! from_redb {
    ($($error:ident),*) => {$(
        impl From<redb::$error> for LogError {
            fn from(error: redb::$error) -> Self {
                Self::Redb(Box::new(error.into()))
            }
        }
    )*};
}

from_redb!(DatabaseError, TransactionError, TableError, StorageError, CommitError, SetDurabilityError);

/// A handle to the log; clones share it.
#[derive(Clone)]
pub struct LogStore {
    /// `None` once closed, so that the file is free although openraft's tasks
    /// may still hold clones.
    db: Arc<RwLock<Option<Database>>>,
}

/// What the log holds, as found when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Extent {
    /// The last entry that was purged.
    pub purged: Option<LogId>,
    /// The last entry, or the last purged one when there is none.
    pub last: Option<LogId>,
    /// Whether a vote was ever cast.
    pub voted: bool,
}

impl LogStore {
    fn new(db: Database) -> Self {
        Self { db: Arc::new(RwLock::new(Some(db))) }
    }

    /// Closes the file. What comes after fails with [`LogError::Closed`].
    pub fn close(&self) {
        drop(self.db.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn read<T>(&self, work: impl FnOnce(&ReadTransaction) -> Result<T, LogError>) -> Result<T, LogError> {
        use redb::ReadableDatabase;
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        work(&db.as_ref().ok_or(LogError::Closed)?.begin_read()?)
    }

    /// The one way to write: durable on return, or an error.
    fn write(&self, work: impl FnOnce(&WriteTransaction) -> Result<(), LogError>) -> Result<(), LogError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        let mut transaction = db.as_ref().ok_or(LogError::Closed)?.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        // Without it, a damaged newest commit would silently fall back to the
        // one before: an acknowledged vote or entry lost.
        transaction.set_two_phase_commit(true);
        work(&transaction)?;
        Ok(transaction.commit()?)
    }
}
