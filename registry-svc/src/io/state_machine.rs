//! Joins state, rows and snapshots for openraft: committed entries in,
//! [`registry_domain::step()`], changed rows out.

use super::blocking;
use super::snapshots::{self, SnapshotError, SnapshotFiles};
use super::state_store::{StateStore, StateStoreError};
use super::type_config::{BatchReply, LogId, Membership, TypeConfig};
use crate::view::View;
use openraft::storage::RaftStateMachine;
use openraft::{
    BasicNode, Entry, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot, SnapshotMeta,
    StorageError,
};
use registry_domain::{Change, Row, RowKey, step};
use std::collections::BTreeMap;
use std::io::Cursor;
use std::sync::Arc;

/// The state machine; clones share it.
#[derive(Clone)]
pub struct StateMachine {
    view: Arc<View>,
    store: Arc<StateStore>,
    snapshots: SnapshotFiles,
}

/// Why the state machine failed.
#[derive(Debug, thiserror::Error)]
enum MachineError {
    #[error(transparent)]
    Store(#[from] StateStoreError),
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
}

impl StateMachine {
    /// A state machine over what has been recovered.
    #[must_use]
    pub fn new(view: Arc<View>, store: Arc<StateStore>, snapshots: SnapshotFiles) -> Self {
        Self { view, store, snapshots }
    }

    fn apply_sync(&self, entries: Vec<Entry<TypeConfig>>) -> Result<Vec<BatchReply>, MachineError> {
        let mut changes: BTreeMap<RowKey, Option<Row>> = BTreeMap::new();
        let (replies, applied, membership) = self.view.change(|machine| {
            let mut replies = Vec::with_capacity(entries.len());
            let mut orders_changed = false;
            for entry in entries {
                let mut batch = Vec::new();
                match entry.payload {
                    EntryPayload::Blank => {}
                    EntryPayload::Membership(members) => {
                        machine.membership = Membership::new(Some(entry.log_id), members);
                    }
                    EntryPayload::Normal(commands) => {
                        for command in commands.commands {
                            let outcome = step(&mut machine.state, command);
                            orders_changed |= outcome.orders_changed;
                            merge(&mut changes, outcome.changes);
                            batch.push(outcome.reply);
                        }
                    }
                }
                machine.applied = Some(entry.log_id);
                replies.push(BatchReply { replies: batch });
            }
            ((replies, machine.applied, machine.membership.clone()), orders_changed)
        });
        // After the readers: the entries are committed, so what is read now
        // stays true whether or not the rows reach the disk.
        self.store.apply(changes, applied, &membership)?;
        Ok(replies)
    }

    fn build_sync(&self) -> Result<Snapshot<TypeConfig>, MachineError> {
        let (meta, bytes) = snapshots::encode(&self.view.read())?;
        self.snapshots.keep(&meta, &bytes)?;
        self.store.flush()?;
        Ok(Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) })
    }

    fn install_sync(&self, meta: &SnapshotMeta<u64, BasicNode>, bytes: &[u8]) -> Result<(), MachineError> {
        let machine = snapshots::decode(bytes)?;
        // The file first: a crash while the rows are replaced is repaired
        // from it.
        self.snapshots.keep(meta, bytes)?;
        self.store.replace(&machine)?;
        self.view.change(|current| (*current = machine, true));
        Ok(())
    }

    fn current_sync(&self) -> Result<Option<Snapshot<TypeConfig>>, MachineError> {
        let newest = self.snapshots.newest()?;
        Ok(newest.map(|(meta, bytes)| Snapshot { meta, snapshot: Box::new(Cursor::new(bytes)) }))
    }
}

/// Of several changes of a row only the last is written.
fn merge(changes: &mut BTreeMap<RowKey, Option<Row>>, more: Vec<Change>) {
    for change in more {
        match change {
            Change::Put(row) => changes.insert(row.key(), Some(*row)),
            Change::Remove(key) => changes.insert(key, None),
        };
    }
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
        let machine = self.clone();
        blocking(ErrorSubject::StateMachine, ErrorVerb::Read, move || machine.build_sync()).await
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError<u64>> {
        let machine = self.view.read();
        Ok((machine.applied, machine.membership.clone()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<BatchReply>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let (machine, entries) = (self.clone(), entries.into_iter().collect::<Vec<_>>());
        blocking(ErrorSubject::StateMachine, ErrorVerb::Write, move || machine.apply_sync(entries)).await
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Result<Box<Cursor<Vec<u8>>>, StorageError<u64>> {
        Ok(Box::default())
    }

    async fn install_snapshot(
        &mut self,
        meta: &SnapshotMeta<u64, BasicNode>,
        snapshot: Box<Cursor<Vec<u8>>>,
    ) -> Result<(), StorageError<u64>> {
        let (machine, meta) = (self.clone(), meta.clone());
        let subject = ErrorSubject::Snapshot(Some(meta.signature()));
        blocking(subject, ErrorVerb::Write, move || machine.install_sync(&meta, snapshot.get_ref())).await
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        let machine = self.clone();
        blocking(ErrorSubject::Snapshot(None), ErrorVerb::Read, move || machine.current_sync()).await
    }
}
