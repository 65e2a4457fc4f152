//! Founding and opening the log file. Opening never creates, and reads
//! everything once.

use super::raft_log::entry_id;
use super::{Extent, FOUNDED, LOG, LogError, LogStore, META, PURGED, VOTE, frame};
use crate::codec;
use crate::io::data_dir::sync_dir;
use crate::io::type_config::LogId;
use openraft::Vote;
use redb::{Builder, Database, ReadableTable};
use std::path::Path;

/// redb's page cache. The log is read at its tail only; more would be waste.
const CACHE_BYTES: usize = 4 << 20;

fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_BYTES);
    builder
}

impl LogStore {
    /// Makes the log file, once in the life of a data directory. Made aside
    /// and renamed, so that under its name there never is half a file.
    ///
    /// # Errors
    /// What redb or the system said.
    pub fn create(path: &Path, store_id: &str) -> Result<Self, LogError> {
        let aside = path.with_extension("founding");
        match std::fs::remove_file(&aside) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            Ok(()) | Err(_) => {}
        }
        let log = Self::new(builder().create(&aside)?);
        log.write(|transaction| {
            transaction.open_table(LOG)?;
            let founded = frame::wrap(0, 0, store_id.as_bytes());
            transaction.open_table(META)?.insert(FOUNDED, founded.as_slice())?;
            Ok(())
        })?;
        std::fs::rename(&aside, path)?;
        // redb syncs the file, not the directory that names it.
        sync_dir(path.parent().unwrap_or(Path::new("/")))?;
        Ok(log)
    }

    /// Whether a log file holds no vote and no entry: its founding was
    /// interrupted before anything relied on it.
    ///
    /// # Errors
    /// It is damaged.
    pub fn is_untouched(path: &Path) -> Result<bool, LogError> {
        let log = Self::new(builder().open(path)?);
        let entries = log.read(|transaction| Ok(transaction.open_table(LOG)?.first()?.is_some()))?;
        Ok(!entries && log.vote()?.is_none() && log.purged()?.is_none())
    }

    /// Opens the log file and verifies all of it.
    ///
    /// # Errors
    /// It is missing, damaged, incomplete or another one.
    pub fn open(path: &Path, store_id: &str) -> Result<(Self, Extent), LogError> {
        // A damaged page can panic redb where it expects another kind of page.
        // Nothing outside is changed by opening, so nothing is left half done.
        std::panic::catch_unwind(|| Self::open_and_verify(path, store_id))
            .unwrap_or_else(|_| Err(LogError::Damaged(path.to_owned())))
    }

    fn open_and_verify(path: &Path, store_id: &str) -> Result<(Self, Extent), LogError> {
        let mut db = builder().open(path)?;
        // `false`: it was damaged and redb has repaired it, by leaving out
        // what was damaged. For a log that is a loss.
        if !db.check_integrity()? {
            return Err(LogError::Damaged(path.to_owned()));
        }
        let log = Self::new(db);
        let extent = log.verify(store_id)?;
        Ok((log, extent))
    }

    fn verify(&self, store_id: &str) -> Result<Extent, LogError> {
        if self.meta(FOUNDED)?.as_deref() != Some(store_id.as_bytes()) {
            return Err(LogError::Foreign);
        }
        let purged = self.purged()?;
        let voted = self.vote()?.is_some();
        self.read(|transaction| {
            let table = transaction.open_table(LOG)?;
            let mut last = purged;
            for row in table.iter()? {
                let (index, bytes) = row?;
                let (index, id) = (index.value(), entry_id(index.value(), bytes.value())?);
                // openraft's first entry has index 0.
                let expected = last.map_or(0, |l| l.index + 1);
                if index != expected {
                    return Err(LogError::Gap { expected, found: index });
                }
                last = Some(id);
            }
            Ok(Extent { purged, last, voted })
        })
    }

    /// A single value.
    pub(super) fn meta(&self, key: &str) -> Result<Option<Vec<u8>>, LogError> {
        self.read(|transaction| {
            let table = match transaction.open_table(META) {
                Ok(table) => table,
                Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
                Err(error) => return Err(error.into()),
            };
            let Some(bytes) = table.get(key)? else { return Ok(None) };
            Ok(Some(frame::unwrap(key, 0, bytes.value())?.to_vec()))
        })
    }

    pub(super) fn purged(&self) -> Result<Option<LogId>, LogError> {
        Ok(self.meta(PURGED)?.map(|bytes| codec::decode("the purged position", &bytes)).transpose()?)
    }

    pub(super) fn vote(&self) -> Result<Option<Vote<u64>>, LogError> {
        Ok(self.meta(VOTE)?.map(|bytes| codec::decode("the vote", &bytes)).transpose()?)
    }
}
