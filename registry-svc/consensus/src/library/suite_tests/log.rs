//! The log store, for a suite that in one place appends an entry below the
//! position that it has purged: such an entry is gone before it comes. The
//! library itself never does so, and the log refuses it.

use super::Stored;
use crate::library::LogStore;
use crate::library::type_config::{LogId, RaftEntry, TypeConfig};
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{LogState, OptionalSend, RaftLogReader, Vote};
use std::fmt::Debug;
use std::ops::RangeBounds;

pub(super) struct SuitedLog(pub(super) LogStore);

impl RaftLogReader<TypeConfig> for SuitedLog {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Stored<Vec<RaftEntry>> {
        self.0.try_get_log_entries(range).await
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Stored<Vec<RaftEntry>> {
        self.0.limited_get_log_entries(start, end).await
    }
}

impl RaftLogStorage<TypeConfig> for SuitedLog {
    type LogReader = LogStore;

    async fn get_log_state(&mut self) -> Stored<LogState<TypeConfig>> {
        self.0.get_log_state().await
    }

    async fn get_log_reader(&mut self) -> LogStore {
        self.0.get_log_reader().await
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Stored<()> {
        self.0.save_vote(vote).await
    }

    async fn read_vote(&mut self) -> Stored<Option<Vote<u64>>> {
        self.0.read_vote().await
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Stored<()> {
        self.0.save_committed(committed).await
    }

    async fn read_committed(&mut self) -> Stored<Option<LogId>> {
        self.0.read_committed().await
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Stored<()>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let purged = self.0.get_log_state().await?.last_purged_log_id.map(|id| id.index);
        let entries: Vec<RaftEntry> = entries.into_iter().filter(|entry| Some(entry.log_id.index) > purged).collect();
        self.0.append(entries, callback).await
    }

    async fn truncate(&mut self, from: LogId) -> Stored<()> {
        self.0.truncate(from).await
    }

    async fn purge(&mut self, upto: LogId) -> Stored<()> {
        self.0.purge(upto).await
    }
}
