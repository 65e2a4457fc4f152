//! Rows of the state, in sled.
//!
//! sled loses its newest writes in a crash and opens short after damage
//! without an error. Both are harmless here: everything in it can be rebuilt
//! from snapshot and log, each batch carries the position that it reflects,
//! and a digest over all rows tells a complete store from a short one.
//!
//! A batch is all or nothing for sled, too, and it keeps every version of a
//! page that the batch touches until its end: 300,000 rows in one took 20 s
//! and 2 GB, in batches of a thousand 2 s and nothing to speak of; 6,000 rows
//! in one leave 30 MB behind, in batches of 256 nine, as fast. So what is more
//! than a batch is written under a mark that says "unfinished", and a crash
//! under it costs the rows, as damage would.

mod keys;
mod rows;

use crate::codec::{self, CodecError};
use crate::io::applied_record::AppliedRecord;
use crate::io::failpoint;
use registry_consensus::Applied;
use registry_domain::{Row, RowKey, State};
use rows::Stored;
use serde::{Deserialize, Serialize};
use sled::Batch;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// sled's page cache. The state is read once, at the start; sled's own
/// default is a gigabyte.
const CACHE_BYTES: u64 = 1 << 20;

/// Key of the position; sorts before every row.
const POSITION: &[u8] = b"\0applied";

/// Rows in one of several batches.
const PART: usize = 256;

/// Why the store failed.
#[derive(Debug, thiserror::Error)]
pub enum StateStoreError {
    /// sled's error.
    #[error("the state store failed")]
    Sled(#[from] sled::Error),
    /// A row cannot be written down or read back.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What is there is not what was written.
    #[error("the state store is damaged: {0}")]
    Damaged(String),
    /// Its file cannot be synced.
    #[error("the state store cannot be synced")]
    Sync(#[source] std::io::Error),
    /// The registry is closing.
    #[error("the state store is closed")]
    Closed,
}

/// Where the rows stand, and what they add up to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Position {
    applied: AppliedRecord,
    rows: u64,
    /// Sum of the checksums of all rows, modulo 2^64: the order does not
    /// matter, and a changed row changes it by a difference.
    digest: u64,
}

/// The store.
pub struct StateStore {
    path: PathBuf,
    open: Mutex<Option<Open>>,
}

struct Open {
    db: sled::Db,
    position: Position,
}

impl StateStore {
    /// Opens the store, or makes it. [`StateStore::load`] comes next.
    ///
    /// # Errors
    /// What sled said.
    pub fn open(path: &Path) -> Result<Self, StateStoreError> {
        let db = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None).open()?;
        let open = Open { db, position: Position::default() };
        Ok(Self { path: path.to_owned(), open: Mutex::new(Some(open)) })
    }

    /// Everything that is stored, and the entry that it reflects.
    ///
    /// # Errors
    /// [`StateStoreError::Damaged`] when it is not complete; it has to be
    /// replaced then.
    pub fn load(&self) -> Result<(State, Applied), StateStoreError> {
        self.with(|Open { db, position }| {
            let stored: Option<Position> =
                db.get(POSITION)?.map(|bytes| codec::decode("the position", &bytes)).transpose()?;
            let mut found = Position::default();
            let mut state = State::default();
            for stored in rows::scan(db) {
                let Stored { row, crc } = stored?;
                found.rows += 1;
                found.digest = found.digest.wrapping_add(u64::from(crc));
                state.load(row);
            }
            *position = stored.unwrap_or_default();
            if (found.rows, found.digest) != (position.rows, position.digest) {
                let what = match position.rows {
                    UNFINISHED => "it was being written to when the registry ended".to_owned(),
                    written => format!("{} rows where {written} were written", found.rows),
                };
                return Err(StateStoreError::Damaged(what));
            }
            Ok((state, position.applied.clone().into()))
        })
    }

    /// Writes what changed together with the position: up to `at_once` rows so
    /// that a crash leaves all of it or nothing. Returns how many changed.
    ///
    /// # Errors
    /// What sled said.
    pub fn apply(
        &self,
        changes: impl ExactSizeIterator<Item = (RowKey, Option<Row>)>,
        applied: &Applied,
        at_once: usize,
    ) -> Result<u64, StateStoreError> {
        self.with(|Open { db, position }| {
            let changed = changes.len() as u64;
            let mut next = Position { applied: applied.into(), ..position.clone() };
            let mut batch = Batch::default();
            let part = if changes.len() > at_once { PART.min(at_once) } else { usize::MAX };
            if part != usize::MAX {
                db.insert(POSITION, unfinished()?)?;
            }
            for (n, (key, row)) in (1..).zip(changes) {
                write(db, &mut batch, &mut next, &key, row.as_ref())?;
                if n % part == 0 {
                    db.apply_batch(std::mem::take(&mut batch))?;
                    failpoint::reached("rows_part");
                }
            }
            batch.insert(POSITION, codec::encode("the position", &next)?);
            db.apply_batch(batch)?;
            *position = next;
            Ok(changed)
        })
    }

    /// Rows in it.
    pub fn rows(&self) -> u64 {
        self.lock().as_ref().map_or(0, |open| open.position.rows)
    }

    /// Replaces everything. A crash in the middle leaves a store whose digest
    /// is wrong, and which is replaced again. Returns how many rows there are.
    ///
    /// # Errors
    /// What sled said.
    pub fn replace(&self, rows: impl Iterator<Item = Row>, applied: &Applied) -> Result<u64, StateStoreError> {
        self.with(|Open { db, position }| {
            db.insert(POSITION, unfinished()?)?;
            db.clear()?;
            db.insert(POSITION, unfinished()?)?;
            *position = Position { applied: applied.into(), ..Position::default() };
            let mut batch = Batch::default();
            for (n, row) in rows.enumerate() {
                let crc = rows::put(&mut batch, &keys::of(&row.key()), &row)?;
                position.rows += 1;
                position.digest = position.digest.wrapping_add(u64::from(crc));
                if n % PART == PART - 1 {
                    db.apply_batch(std::mem::take(&mut batch))?;
                    failpoint::reached("rows_part");
                }
            }
            batch.insert(POSITION, codec::encode("the position", &*position)?);
            db.apply_batch(batch)?;
            Ok(position.rows)
        })
    }

    /// Makes what was written durable, so that rows and snapshot are two ways
    /// back. sled's own flush hands it to the system and syncs nothing.
    ///
    /// # Errors
    /// What sled or the system said.
    pub fn flush(&self) -> Result<(), StateStoreError> {
        self.with(|Open { db, .. }| Ok(db.flush().map(drop)?))?;
        File::open(self.path.join("db")).and_then(|file| file.sync_data()).map_err(StateStoreError::Sync)
    }

    /// Closes the store; on return its files are free. After an error it is
    /// better left open until the process ends: sled hangs when it is dropped
    /// on a full disk.
    pub fn close(&self) {
        if self.lock().take().is_none() {
            return;
        }
        // sled's own threads may hold its file, and with it its lock, a
        // moment longer. Where it cannot be waited for, the next open says so.
        if let Ok(file) = File::open(self.path.join("db")) {
            // Given back by name: a child that is just being started may have this file, too, until it is another program.
            let _ = file.lock().and_then(|()| file.unlock());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Option<Open>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Open) -> Result<T, StateStoreError>) -> Result<T, StateStoreError> {
        work(self.lock().as_mut().ok_or(StateStoreError::Closed)?)
    }
}

/// One that was opened and found to be of no use frees its files, too: who opens
/// it again in the same process is not to find them locked.
impl Drop for StateStore {
    fn drop(&mut self) {
        self.close();
    }
}

/// More rows than there can be.
const UNFINISHED: u64 = u64::MAX;

/// A position that no rows add up to.
fn unfinished() -> Result<Vec<u8>, CodecError> {
    codec::encode("the position", &Position { rows: UNFINISHED, ..Position::default() })
}

fn write(
    db: &sled::Db,
    batch: &mut Batch,
    position: &mut Position,
    key: &RowKey,
    row: Option<&Row>,
) -> Result<(), StateStoreError> {
    let key = keys::of(key);
    if let Some(crc) = rows::remove(db, batch, &key)? {
        position.rows -= 1;
        position.digest = position.digest.wrapping_sub(u64::from(crc));
    }
    if let Some(row) = row {
        let crc = rows::put(batch, &key, row)?;
        position.rows += 1;
        position.digest = position.digest.wrapping_add(u64::from(crc));
    }
    Ok(())
}
