//! From the disk to a state: rows or snapshot, whichever is newer and sound.
//!
//! ```text
//! rows      snapshot   then
//! sound     older      the rows
//! sound     newer      the snapshot; the rows are stale
//! damaged   sound      the snapshot; the rows are stale
//! damaged   none       nothing; the log has to have everything, and whoever opens it looks
//! any       damaged    it is set aside, the one before counts; as above
//! ```
//! Stale rows are replaced behind the state: sled takes seconds for many, and
//! whoever waits for the registry needs none of them. A crash before that finds
//! them as they were.
//!
//! Where the state begins is for the caller to compare with where the log
//! does: from there on it is replayed.

use crate::io::applied_record;
use crate::io::snapshot::{SnapshotError, SnapshotFiles};
use crate::io::state_store::{StateStore, StateStoreError};
use crate::view::Replicated;
use registry_consensus::{Applied, Snapshot};
use service_host::causes::chain;
use std::io;
use std::path::PathBuf;

/// Where a machine keeps what it has.
#[derive(Debug, Clone)]
pub struct Places {
    /// Directory of the rows.
    pub state: PathBuf,
    /// Directory of the snapshots.
    pub snapshots: PathBuf,
}

/// Why a machine does not open.
#[derive(Debug, thiserror::Error)]
pub enum MachineOpenError {
    /// The rows cannot be used.
    #[error(transparent)]
    State(#[from] StateStoreError),
    /// The snapshots cannot be used.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// Its thread does not start.
    #[error("the thread that writes the state's rows does not start")]
    Thread(#[source] io::Error),
}

/// What was found.
pub(super) struct Found {
    pub(super) replicated: Replicated,
    pub(super) store: StateStore,
    /// What is in the store is not this state.
    pub(super) stale: bool,
    pub(super) snapshots: SnapshotFiles,
    pub(super) newest: Option<Snapshot>,
}

/// Opens rows and snapshots. Blocks.
pub(super) fn open(places: &Places) -> Result<Found, MachineOpenError> {
    let store = StateStore::open(&places.state)?;
    let snapshots = SnapshotFiles::open(&places.snapshots)?;
    let rows = match store.load() {
        Ok(rows) => Some(rows),
        Err(error @ (StateStoreError::Damaged(_) | StateStoreError::Codec(_))) => {
            tracing::warn!(error = chain(&error), "the state store is incomplete; it is rebuilt");
            None
        }
        Err(error @ (StateStoreError::Sled(_) | StateStoreError::Sync(_) | StateStoreError::Closed)) => {
            return Err(error.into());
        }
    };
    let newest = snapshots.newest()?;
    let snapshot_at = newest.as_ref().and_then(|snapshot| snapshot.meta.at).map(|at| at.index);
    let sound = rows.filter(|(_, applied)| applied.at.map(|at| at.index) >= snapshot_at);
    let stale = sound.is_none();
    let (state, applied) = match (sound, &newest) {
        (Some(rows), _) => rows,
        (None, Some(snapshot)) => (SnapshotFiles::state(snapshot)?, applied_record::applied(&snapshot.meta)),
        (None, None) => Default::default(),
    };
    say_what_was_found(&applied, snapshot_at);
    Ok(Found { replicated: Replicated { state, applied }, store, stale, snapshots, newest })
}

fn say_what_was_found(applied: &Applied, snapshot: Option<u64>) {
    tracing::debug!(applied = applied.at.map(|at| at.index), snapshot, "opened the state");
}
