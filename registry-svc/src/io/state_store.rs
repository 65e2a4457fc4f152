//! Rows of the state, in sled.
//!
//! sled loses its newest writes in a crash and opens short after damage
//! without an error. Both are harmless here: everything in it can be rebuilt
//! from snapshot and log, each batch carries the position that it reflects,
//! and a digest over all rows tells a complete store from a short one.

mod keys;
mod rows;

use crate::codec::{self, CodecError};
use crate::io::type_config::{LogId, Membership};
use crate::view::Machine;
use registry_domain::{Row, RowKey, State};
use rows::Stored;
use serde::{Deserialize, Serialize};
use sled::Batch;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

/// sled's page cache. The state is read once, at the start; sled's own
/// default is a gigabyte.
const CACHE_BYTES: u64 = 1 << 20;

/// Key of the position; sorts before every row.
const POSITION: &[u8] = b"\0position";

/// Rows written in one go while the whole store is replaced.
const REPLACE_BATCH: usize = 1_000;

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
    /// The registry is closing.
    #[error("the state store is closed")]
    Closed,
}

/// Where the rows stand, and what they add up to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
struct Position {
    applied: Option<LogId>,
    membership: Membership,
    rows: u64,
    /// Sum of the checksums of all rows, modulo 2^64: the order does not
    /// matter, and a changed row changes it by a difference.
    digest: u64,
}

/// The store.
pub struct StateStore {
    db: RwLock<Option<sled::Db>>,
    position: RwLock<Position>,
}

impl StateStore {
    /// Opens the store, or makes it.
    ///
    /// # Errors
    /// What sled said.
    pub fn open(path: &Path) -> Result<Self, StateStoreError> {
        let db = sled::Config::new().path(path).cache_capacity(CACHE_BYTES).flush_every_ms(None).open()?;
        Ok(Self { db: RwLock::new(Some(db)), position: RwLock::default() })
    }

    /// Everything that is stored.
    ///
    /// # Errors
    /// [`StateStoreError::Damaged`] when it is not complete; it has to be
    /// replaced then.
    pub fn load(&self) -> Result<Machine, StateStoreError> {
        self.with(|db| {
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
            let position = stored.unwrap_or_default();
            if (found.rows, found.digest) != (position.rows, position.digest) {
                let what = format!("{} rows where {} were written", found.rows, position.rows);
                return Err(StateStoreError::Damaged(what));
            }
            let machine = Machine { state, applied: position.applied, membership: position.membership.clone() };
            *self.position.write().unwrap_or_else(PoisonError::into_inner) = position;
            Ok(machine)
        })
    }

    /// Writes what changed together with the position, in one batch.
    ///
    /// # Errors
    /// What sled said.
    pub fn apply(
        &self,
        changes: BTreeMap<RowKey, Option<Row>>,
        applied: Option<LogId>,
        membership: &Membership,
    ) -> Result<(), StateStoreError> {
        self.with(|db| {
            let mut position = self.position.write().unwrap_or_else(PoisonError::into_inner);
            let mut next = Position { applied, membership: membership.clone(), ..position.clone() };
            let mut batch = Batch::default();
            for (key, row) in &changes {
                write(db, &mut batch, &mut next, key, row.as_ref())?;
            }
            batch.insert(POSITION, codec::encode("the position", &next)?);
            db.apply_batch(batch)?;
            *position = next;
            Ok(())
        })
    }

    /// Replaces everything. A crash in the middle leaves a store whose digest
    /// is wrong, and which is replaced again.
    ///
    /// # Errors
    /// What sled said.
    pub fn replace(&self, machine: &Machine) -> Result<(), StateStoreError> {
        self.with(|db| {
            db.clear()?;
            let mut position = self.position.write().unwrap_or_else(PoisonError::into_inner);
            *position =
                Position { applied: machine.applied, membership: machine.membership.clone(), ..Position::default() };
            let mut batch = Batch::default();
            for (n, row) in machine.state.rows().enumerate() {
                write(db, &mut batch, &mut position, &row.key(), Some(&row))?;
                if n % REPLACE_BATCH == REPLACE_BATCH - 1 {
                    db.apply_batch(std::mem::take(&mut batch))?;
                }
            }
            batch.insert(POSITION, codec::encode("the position", &*position)?);
            db.apply_batch(batch)?;
            Ok(())
        })
    }

    /// Hands what was written to the system, so that less has to be replayed
    /// at the next start. Nothing relies on it.
    ///
    /// # Errors
    /// What sled said.
    pub fn flush(&self) -> Result<(), StateStoreError> {
        self.with(|db| Ok(db.flush().map(drop)?))
    }

    /// Closes the store.
    pub fn close(&self) {
        drop(self.db.write().unwrap_or_else(PoisonError::into_inner).take());
    }

    fn with<T>(&self, work: impl FnOnce(&sled::Db) -> Result<T, StateStoreError>) -> Result<T, StateStoreError> {
        let db = self.db.read().unwrap_or_else(PoisonError::into_inner);
        work(db.as_ref().ok_or(StateStoreError::Closed)?)
    }
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
