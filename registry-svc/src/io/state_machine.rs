//! The machine as openraft asks for it.

use super::leader_book::{self, LeaderBook, LeaderBookError};
use super::type_config::{Batch, BatchReply, LogId, Membership, TypeConfig};
use super::{blocking, chain};
use crate::machine::{MemoryMachine, payload};
use openraft::storage::RaftStateMachine;
use openraft::{
    AnyError, BasicNode, Entry, EntryPayload, ErrorSubject, ErrorVerb, OptionalSend, RaftSnapshotBuilder, Snapshot,
    SnapshotMeta, StorageError, StorageIOError,
};
use registry_consensus::{Answers, Committed, Machine, MachineFault, SnapshotSource};
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

/// The machine as openraft asks for it; clones share it.
#[derive(Clone)]
pub struct StateMachine {
    machine: Arc<MemoryMachine>,
    book: Arc<LeaderBook>,
}

impl StateMachine {
    /// A state machine over what has been opened, with a file for what
    /// openraft wants to know beside it.
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn new(machine: Arc<MemoryMachine>, book: &Path) -> Result<Self, LeaderBookError> {
        Ok(Self { machine, book: Arc::new(LeaderBook::open(book)?) })
    }

    fn snapshot(&self, snapshot: &registry_consensus::Snapshot) -> std::io::Result<Snapshot<TypeConfig>> {
        let bytes = bytes_of(&*snapshot.source)?;
        Ok(Snapshot { meta: self.book.meta(&snapshot.meta), snapshot: Box::new(Cursor::new(bytes)) })
    }

    fn install(
        &self,
        meta: &SnapshotMeta<u64, BasicNode>,
        bytes: &[u8],
    ) -> Result<registry_consensus::Snapshot, MachineFault> {
        let membership = &meta.last_membership;
        let ids = meta.last_log_id.into_iter().chain(*membership.log_id());
        let noted = self.book.note(ids, membership.membership().nodes());
        noted.map_err(|error| MachineFault::new("cannot write the book of leaders", error))?;
        let ours = registry_consensus::SnapshotMeta {
            id: meta.snapshot_id.clone(),
            at: meta.last_log_id.map(leader_book::position),
            members_at: membership.log_id().map(leader_book::position),
            members: leader_book::members(membership.membership()),
        };
        let mut sink = self.machine.receive_snapshot(&ours, bytes.len() as u64)?;
        let missing = usize::try_from(sink.offset()).ok().and_then(|offset| bytes.get(offset..)).unwrap_or_default();
        sink.append(missing).map_err(|error| MachineFault::new("cannot keep a snapshot from a peer", error))?;
        sink.finish()
    }
}

fn bytes_of(source: &dyn SnapshotSource) -> std::io::Result<Vec<u8>> {
    Ok(source.read_at(0, usize::try_from(source.len()).unwrap_or(usize::MAX))?.into())
}

fn fault(verb: ErrorVerb, error: &(dyn std::error::Error + 'static)) -> StorageError<u64> {
    tracing::error!(error, "the state machine failed");
    StorageIOError::new(ErrorSubject::StateMachine, verb, AnyError::error(chain(error))).into()
}

fn committed(entry: Entry<TypeConfig>) -> Result<Committed, payload::PayloadError> {
    let said = match entry.payload {
        EntryPayload::Blank => registry_consensus::Entry::Blank,
        EntryPayload::Membership(members) => registry_consensus::Entry::Members(leader_book::members(&members)),
        EntryPayload::Normal(Batch { commands }) => registry_consensus::Entry::Batch(payload::encode(&commands)?),
    };
    Ok(Committed { at: leader_book::position(entry.log_id), entry: said })
}

impl RaftSnapshotBuilder<TypeConfig> for StateMachine {
    async fn build_snapshot(&mut self) -> Result<Snapshot<TypeConfig>, StorageError<u64>> {
        let taken = self.machine.take_snapshot().await.map_err(|error| fault(ErrorVerb::Write, &error))?;
        let machine = self.clone();
        blocking(ErrorSubject::Snapshot(None), ErrorVerb::Read, move || machine.snapshot(&taken)).await
    }
}

impl RaftStateMachine<TypeConfig> for StateMachine {
    type SnapshotBuilder = Self;

    async fn applied_state(&mut self) -> Result<(Option<LogId>, Membership), StorageError<u64>> {
        Ok(self.book.applied(&self.machine.applied()))
    }

    async fn apply<I>(&mut self, entries: I) -> Result<Vec<BatchReply>, StorageError<u64>>
    where
        I: IntoIterator<Item = Entry<TypeConfig>> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        let entries: Vec<Entry<TypeConfig>> = entries.into_iter().collect();
        let nodes = entries.iter().filter_map(|entry| match &entry.payload {
            EntryPayload::Membership(members) => Some(members.nodes()),
            EntryPayload::Blank | EntryPayload::Normal(_) => None,
        });
        // A write only when a leader or a member is new.
        let noted = self.book.note(entries.iter().map(|entry| entry.log_id), nodes.flatten());
        noted.map_err(|error| fault(ErrorVerb::Write, &error))?;
        let committed: Result<Vec<Committed>, _> = entries.into_iter().map(committed).collect();
        let committed = committed.map_err(|error| fault(ErrorVerb::Write, &error))?;
        let answers = self.machine.apply(committed).map_err(|error| fault(ErrorVerb::Write, &error))?;
        Ok(answers.into_iter().map(|Answers(replies)| BatchReply { replies }).collect())
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
        let install = move || machine.install(&meta, snapshot.get_ref());
        let received = blocking(subject, ErrorVerb::Write, install).await?;
        self.machine.install_snapshot(received).await.map_err(|error| fault(ErrorVerb::Write, &error))
    }

    async fn get_current_snapshot(&mut self) -> Result<Option<Snapshot<TypeConfig>>, StorageError<u64>> {
        let newest = self.machine.newest_snapshot().map_err(|error| fault(ErrorVerb::Read, &error))?;
        let machine = self.clone();
        let load = move || newest.map(|snapshot| machine.snapshot(&snapshot)).transpose();
        blocking(ErrorSubject::Snapshot(None), ErrorVerb::Read, load).await
    }
}
