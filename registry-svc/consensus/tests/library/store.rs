//! Log and machine of one replica, in memory; everything is written at once.

use super::{Words, pause};
use openraft::storage::{LogFlushed, RaftLogStorage, RaftStateMachine};
use openraft::{
    EmptyNode, Entry, EntryPayload, LogId, LogState, OptionalSend, RaftLogReader, RaftSnapshotBuilder, Snapshot,
    SnapshotMeta, StorageError, StoredMembership, Vote,
};
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::ops::RangeBounds;
use std::sync::{Arc, Mutex, MutexGuard};

type Stored<T> = Result<T, StorageError<u64>>;

#[derive(Clone, Default)]
pub(crate) struct Store(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    entries: BTreeMap<u64, Entry<Words>>,
    purged: Option<LogId<u64>>,
    vote: Option<Vote<u64>>,
    applied: Option<LogId<u64>>,
    members: StoredMembership<u64, EmptyNode>,
    held: bool,
}

impl Store {
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.0.lock().unwrap()
    }

    pub(crate) fn change_vote(&self, change: impl FnOnce(Vote<u64>) -> Vote<u64>) {
        let mut inner = self.lock();
        inner.vote = inner.vote.map(change);
    }

    pub(crate) fn purged(&self) -> Option<LogId<u64>> {
        self.lock().purged
    }

    pub(crate) fn last(&self) -> Option<LogId<u64>> {
        let inner = self.lock();
        inner.entries.last_key_value().map(|(_, entry)| entry.log_id).or(inner.purged)
    }

    pub(crate) fn hold(&self) {
        self.lock().held = true;
    }
}

impl RaftLogReader<Words> for Store {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Stored<Vec<Entry<Words>>> {
        Ok(self.lock().entries.range(range).map(|(_, entry)| entry.clone()).collect())
    }
}

impl RaftLogStorage<Words> for Store {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Stored<LogState<Words>> {
        Ok(LogState { last_purged_log_id: self.purged(), last_log_id: self.last() })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &Vote<u64>) -> Stored<()> {
        self.lock().vote = Some(*vote);
        Ok(())
    }

    async fn read_vote(&mut self) -> Stored<Option<Vote<u64>>> {
        Ok(self.lock().vote)
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<Words>) -> Stored<()>
    where
        I: IntoIterator<Item = Entry<Words>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.lock().entries.extend(entries.into_iter().map(|entry| (entry.log_id.index, entry)));
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId<u64>) -> Stored<()> {
        self.lock().entries.split_off(&from.index);
        Ok(())
    }

    async fn purge(&mut self, upto: LogId<u64>) -> Stored<()> {
        let mut inner = self.lock();
        inner.entries = inner.entries.split_off(&(upto.index + 1));
        inner.purged = Some(upto);
        Ok(())
    }
}

impl RaftSnapshotBuilder<Words> for Store {
    async fn build_snapshot(&mut self) -> Stored<Snapshot<Words>> {
        let inner = self.lock();
        let (last_log_id, last_membership) = (inner.applied, inner.members.clone());
        let meta = SnapshotMeta { last_log_id, last_membership, snapshot_id: format!("{last_log_id:?}") };
        Ok(Snapshot { meta, snapshot: Box::new(()) })
    }
}

impl RaftStateMachine<Words> for Store {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Stored<(Option<LogId<u64>>, StoredMembership<u64, EmptyNode>)> {
        let inner = self.lock();
        Ok((inner.applied, inner.members.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Stored<Vec<()>>
    where
        I: IntoIterator<Item = Entry<Words>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let mut inner = self.lock();
        let mut answers = Vec::new();
        for entry in entries {
            inner.applied = Some(entry.log_id);
            if let EntryPayload::Membership(members) = entry.payload {
                inner.members = StoredMembership::new(Some(entry.log_id), members);
            }
            answers.push(());
        }
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Stored<Box<()>> {
        Ok(Box::new(()))
    }

    async fn install_snapshot(&mut self, meta: &SnapshotMeta<u64, EmptyNode>, _: Box<()>) -> Stored<()> {
        while self.lock().held {
            pause(1_000).await;
        }
        let mut inner = self.lock();
        (inner.applied, inner.members) = (meta.last_log_id, meta.last_membership.clone());
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Stored<Option<Snapshot<Words>>> {
        Ok(None)
    }
}
