//! The library's state machine over a [`Machine`](crate::Machine). An entry is
//! applied once it is durable here (`edge`, rule 2), so that nothing in memory,
//! in a snapshot or in an answer is ahead of this replica's own disk.

// The errors are the library's own, and its traits want them unboxed.
#![allow(clippy::result_large_err)]

use super::covered::Covered;
use super::fault::{Storage, storage};
use super::type_config::{LogId, Membership, RaftEntry, StoredMembership, TypeConfig};
use super::words::{log_id, members_of, membership_of, position};
use crate::edge::Edge;
use crate::{Answers, Committed, Entry, Machine, MachineFault, Position, Snapshot, SnapshotMeta};
use openraft::storage::RaftStateMachine;
use openraft::{EmptyNode, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, StorageError};
use std::sync::Arc;
use tokio::sync::watch;

/// The machine; clones share it.
#[derive(Clone)]
pub(crate) struct MachinePort {
    machine: Arc<dyn Machine>,
    edge: Arc<Edge>,
    covered: Covered,
    /// Index of the last applied entry, and each change of it.
    applied: watch::Sender<Option<u64>>,
}

impl MachinePort {
    pub(crate) fn new(
        machine: Arc<dyn Machine>,
        edge: Arc<Edge>,
        covered: Covered,
        applied: watch::Sender<Option<u64>>,
    ) -> Self {
        applied.send_replace(machine.applied().at.map(|at| at.index));
        Self { machine, edge, covered, applied }
    }

    /// A snapshot is durable, or there is none and the engine ends.
    fn kept<T>(&self, done: Result<T, MachineFault>, at: impl FnOnce(&T) -> Option<Position>) -> Storage<T> {
        match done {
            Ok(done) => {
                self.covered.reaches(at(&done));
                Ok(done)
            }
            Err(fault) => {
                self.covered.fails();
                Err(failed(ErrorVerb::Write, &fault.into()))
            }
        }
    }
}

fn committed(entry: RaftEntry) -> Committed {
    let said = match entry.payload {
        EntryPayload::Blank => Entry::Blank,
        EntryPayload::Normal(payload) => Entry::Batch(payload),
        EntryPayload::Membership(membership) => Entry::Members(members_of(&membership)),
    };
    Committed { at: position(entry.log_id), entry: said }
}

fn failed(verb: ErrorVerb, fault: &MachineFaultText) -> StorageError<u64> {
    storage(ErrorSubject::StateMachine, verb, fault)
}

/// The library keeps errors as text; a fault's causes would be lost.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct MachineFaultText(String);

impl From<MachineFault> for MachineFaultText {
    fn from(fault: MachineFault) -> Self {
        let mut text = fault.to_string();
        let mut cause = std::error::Error::source(&fault);
        while let Some(error) = cause {
            text = format!("{text}: {error}");
            cause = error.source();
        }
        Self(text)
    }
}

fn library_meta(meta: &SnapshotMeta) -> openraft::SnapshotMeta<u64, EmptyNode> {
    openraft::SnapshotMeta {
        last_log_id: meta.at.map(log_id),
        last_membership: StoredMembership::new(meta.members_at.map(log_id), membership_of(&meta.members)),
        snapshot_id: meta.id.clone(),
    }
}

/// A snapshot as the library passes it on.
pub(crate) fn library_snapshot(snapshot: Snapshot) -> openraft::Snapshot<TypeConfig> {
    openraft::Snapshot { meta: library_meta(&snapshot.meta), snapshot: Box::new(snapshot) }
}

impl RaftSnapshotBuilder<TypeConfig> for MachinePort {
    async fn build_snapshot(&mut self) -> Storage<openraft::Snapshot<TypeConfig>> {
        let built = self.machine.take_snapshot().await;
        self.kept(built, |snapshot| snapshot.meta.at).map(library_snapshot)
    }
}

impl RaftStateMachine<TypeConfig> for MachinePort {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Storage<(Option<LogId>, StoredMembership)> {
        let applied = self.machine.applied();
        // Before the first change of the members there is none, which is not the same as a change to none.
        let membership = applied.members_at.map_or_else(Membership::default, |_| membership_of(&applied.members));
        Ok((applied.at.map(log_id), StoredMembership::new(applied.members_at.map(log_id), membership)))
    }

    async fn apply<I>(&mut self, entries: I) -> Storage<Vec<Answers>>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Committed> = entries.into_iter().map(committed).collect();
        let Some(last) = entries.last().map(|entry| entry.at) else { return Ok(Vec::new()) };
        let durable = self.edge.entry_durable(last.index).await;
        durable.map_err(|fault| storage(ErrorSubject::Logs, ErrorVerb::Write, &fault))?;
        self.edge.show(last);
        let answers = self.machine.apply(entries).map_err(|fault| failed(ErrorVerb::Write, &fault.into()))?;
        self.applied.send_replace(Some(last.index));
        Ok(answers)
    }

    async fn get_snapshot_builder(&mut self) -> Self {
        self.clone()
    }

    async fn begin_receiving_snapshot(&mut self) -> Storage<Box<Snapshot>> {
        // Snapshots come in through the door, which hands over whole ones.
        let fault = MachineFault::because("the library asked for a place to receive a snapshot");
        Err(failed(ErrorVerb::Read, &fault.into()))
    }

    async fn install_snapshot(
        &mut self,
        meta: &openraft::SnapshotMeta<u64, EmptyNode>,
        snapshot: Box<Snapshot>,
    ) -> Storage<()> {
        // What the snapshot contradicts was truncated before this: that comes first on the disk, too.
        let durable = self.edge.all_durable().await;
        if let Err(fault) = durable {
            self.covered.fails();
            return Err(storage(ErrorSubject::Logs, ErrorVerb::Write, &fault));
        }
        let installed = self.machine.install_snapshot(*snapshot).await;
        self.kept(installed, |()| meta.last_log_id.map(position))?;
        self.applied.send_replace(meta.last_log_id.map(|id| id.index));
        Ok(())
    }

    async fn get_current_snapshot(&mut self) -> Storage<Option<openraft::Snapshot<TypeConfig>>> {
        let newest = self.machine.newest_snapshot();
        newest.map(|s| s.map(library_snapshot)).map_err(|fault| failed(ErrorVerb::Read, &fault.into()))
    }
}
