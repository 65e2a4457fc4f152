//! The log as openraft asks for it.

use super::{LOG, LogError, LogStore, META, PURGED, VOTE, frame};
use crate::codec;
use crate::io::blocking;
use crate::io::type_config::{LogId, TypeConfig};
use openraft::storage::{LogFlushed, LogState, RaftLogStorage};
use openraft::{Entry, ErrorSubject, ErrorVerb, OptionalSend, RaftLogReader, StorageError, Vote};
use redb::ReadableTable;
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};

type Stored = Result<(), StorageError<u64>>;

fn decode_entry(index: u64, bytes: &[u8]) -> Result<Entry<TypeConfig>, LogError> {
    let payload = frame::unwrap(&format!("entry {index}"), index, bytes)?;
    let entry: Entry<TypeConfig> = codec::decode("a log entry", payload)?;
    if entry.log_id.index == index { Ok(entry) } else { Err(LogError::BadFrame { what: format!("entry {index}") }) }
}

/// The id of an entry, after a check of all of it.
pub(super) fn entry_id(index: u64, bytes: &[u8]) -> Result<LogId, LogError> {
    decode_entry(index, bytes).map(|entry| entry.log_id)
}

impl LogStore {
    fn put_meta(&self, key: &'static str, payload: &[u8]) -> Result<(), LogError> {
        self.write(|transaction| {
            transaction.open_table(META)?.insert(key, frame::wrap(0, 0, payload).as_slice())?;
            Ok(())
        })
    }

    fn append_sync(&self, entries: &[Entry<TypeConfig>]) -> Result<(), LogError> {
        self.write(|transaction| {
            let mut table = transaction.open_table(LOG)?;
            for entry in entries {
                let LogId { leader_id, index } = entry.log_id;
                let payload = codec::encode("a log entry", entry)?;
                table.insert(index, frame::wrap(index, leader_id.term, &payload).as_slice())?;
            }
            Ok(())
        })
    }

    fn range_sync(&self, range: (Bound<u64>, Bound<u64>)) -> Result<Vec<Entry<TypeConfig>>, LogError> {
        self.read(|transaction| {
            let table = transaction.open_table(LOG)?;
            let rows = table.range(range)?;
            rows.map(|row| row.map_err(LogError::from).and_then(|(i, bytes)| decode_entry(i.value(), bytes.value())))
                .collect()
        })
    }

    fn state_sync(&self) -> Result<LogState<TypeConfig>, LogError> {
        let purged = self.purged()?;
        let last = self.read(|transaction| {
            let table = transaction.open_table(LOG)?;
            let last = table.last()?;
            last.map(|(index, bytes)| entry_id(index.value(), bytes.value())).transpose()
        })?;
        Ok(LogState { last_purged_log_id: purged, last_log_id: last.or(purged) })
    }

    fn truncate_sync(&self, from: u64) -> Result<(), LogError> {
        self.write(|transaction| Ok(transaction.open_table(LOG)?.retain_in(from.., |_, _| false)?))
    }

    fn purge_sync(&self, upto: LogId) -> Result<(), LogError> {
        let payload = codec::encode("the purged position", &upto)?;
        self.write(|transaction| {
            transaction.open_table(LOG)?.retain_in(..=upto.index, |_, _| false)?;
            transaction.open_table(META)?.insert(PURGED, frame::wrap(0, 0, &payload).as_slice())?;
            Ok(())
        })
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Result<Vec<Entry<TypeConfig>>, StorageError<u64>> {
        let (log, range) = (self.clone(), (range.start_bound().cloned(), range.end_bound().cloned()));
        blocking(ErrorSubject::Logs, ErrorVerb::Read, move || log.range_sync(range)).await
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Result<LogState<TypeConfig>, StorageError<u64>> {
        let log = self.clone();
        blocking(ErrorSubject::Logs, ErrorVerb::Read, move || log.state_sync()).await
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Stored {
        let (log, vote) = (self.clone(), *vote);
        blocking(ErrorSubject::Vote, ErrorVerb::Write, move || log.put_meta(VOTE, &codec::encode("the vote", &vote)?))
            .await
    }

    async fn read_vote(&mut self) -> Result<Option<Vote<u64>>, StorageError<u64>> {
        let log = self.clone();
        blocking(ErrorSubject::Vote, ErrorVerb::Read, move || log.vote()).await
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Stored
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (log, entries) = (self.clone(), entries.into_iter().collect::<Vec<_>>());
        let done = blocking(ErrorSubject::Logs, ErrorVerb::Write, move || log.append_sync(&entries)).await;
        match done {
            Ok(()) => {
                callback.log_io_completed(Ok(()));
                Ok(())
            }
            Err(error) => {
                callback.log_io_completed(Err(std::io::Error::other(error.to_string())));
                Err(error)
            }
        }
    }

    async fn truncate(&mut self, from: LogId) -> Stored {
        let log = self.clone();
        blocking(ErrorSubject::Logs, ErrorVerb::Delete, move || log.truncate_sync(from.index)).await
    }

    async fn purge(&mut self, upto: LogId) -> Stored {
        let log = self.clone();
        blocking(ErrorSubject::Logs, ErrorVerb::Delete, move || log.purge_sync(upto)).await
    }
}
