//! The library's log over a [`LogDisk`](crate::LogDisk). An append is reported
//! as done once it is submitted; what that asks of the rest stands in `edge`.

// The errors are the library's own, and its traits want them unboxed.
#![allow(clippy::result_large_err)]

use super::covered::Covered;
use super::fault::{Storage, storage};
use super::record;
use super::type_config::{LogId, RaftEntry, TypeConfig};
use super::words::{disk_position, from_disk, log_id, position, raft_vote, vote_of};
use crate::LogDisk;
use crate::edge::Edge;
use openraft::storage::{LogFlushed, RaftLogStorage};
use openraft::{EntryPayload, ErrorSubject, ErrorVerb, LogState, OptionalSend, RaftLogReader};
use registry_log::{Entry, Extent, Limit, Lsn, Position, Refused, Write};
use std::fmt::Debug;
use std::ops::{Bound, RangeBounds};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries in one message to a follower, and their bytes: as much as crosses
/// a slow link within a heartbeat, since the library asks again after that.
const MESSAGE: Limit = Limit { entries: 64, bytes: 4 << 20 };
const ALL: Limit = Limit { entries: usize::MAX, bytes: usize::MAX };
/// What an entry takes on the disk besides its payload.
const OVERHEAD: u64 = 64;

/// The log; clones share it.
#[derive(Clone)]
pub(crate) struct LogStore {
    disk: Arc<dyn LogDisk>,
    edge: Arc<Edge>,
    covered: Covered,
    /// A purge that waits for its snapshot. Nothing is written to the log before it.
    purge: Arc<Mutex<Option<Position>>>,
}

impl LogStore {
    pub(crate) fn new(disk: Arc<dyn LogDisk>, edge: Arc<Edge>, covered: Covered) -> Self {
        Self { disk, edge, covered, purge: Arc::default() }
    }

    /// Does the purge that waits, once it may be done.
    async fn purged(&self) -> Storage<()> {
        let waits = *self.waiting();
        let Some(upto) = waits else { return Ok(()) };
        let covered = self.covered.reached(upto.index).await;
        covered.map_err(|error| storage(ErrorSubject::Logs, ErrorVerb::Delete, &error))?;
        // Whoever else waited for it may have been quicker.
        if self.waiting().take_if(|waits| *waits == upto).is_some() {
            self.submit(Write::Purge { upto }, ErrorSubject::Logs).await?;
        }
        Ok(())
    }

    fn waiting(&self) -> MutexGuard<'_, Option<Position>> {
        self.purge.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self, mut next: u64, end: u64, limit: Limit, whole: bool) -> Storage<Vec<RaftEntry>> {
        let Extent { first: Some(first), last: Some(last), .. } = self.disk.extent() else { return Ok(Vec::new()) };
        let end = end.min(last.index.saturating_add(1));
        next = next.max(first);
        let mut entries = Vec::new();
        while next < end {
            let read = self.disk.read(next..end, limit);
            let read = read.map_err(|e| storage(ErrorSubject::LogIndex(next), ErrorVerb::Read, &e))?;
            for entry in read {
                let at = from_disk(entry.at);
                let payload = record::decode(at, entry.payload);
                let payload = payload.map_err(|e| storage(ErrorSubject::LogIndex(at.index), ErrorVerb::Read, &e))?;
                entries.push(RaftEntry { log_id: log_id(at), payload });
                next = at.index + 1;
            }
            if !whole {
                break;
            }
        }
        Ok(entries)
    }

    /// Submits; waits when the disk is full. Nothing can be appended then, and a leader that hangs here is replaced
    /// by the others: refusing would end the process instead.
    async fn submit(&self, write: Write, subject: ErrorSubject<u64>) -> Storage<Lsn> {
        loop {
            let mut space = self.edge.space();
            match self.edge.submit(write.clone()) {
                Ok(lsn) => return Ok(lsn),
                Err(Refused::DiskFull) => {
                    tracing::error!("the disk under the log is full; nothing is written until it has room");
                    // An error means that nobody tells any more: the replica is closing.
                    if space.changed().await.is_err() {
                        return Err(storage(subject, ErrorVerb::Write, &Refused::DiskFull));
                    }
                }
                Err(refused) => return Err(storage(subject, ErrorVerb::Write, &refused)),
            }
        }
    }

    async fn durable(&self, lsn: Lsn, subject: ErrorSubject<u64>) -> Storage<()> {
        self.edge.durable(lsn).await.map_err(|fault| storage(subject, ErrorVerb::Write, &fault))
    }
}

impl RaftLogReader<TypeConfig> for LogStore {
    async fn try_get_log_entries<RB: RangeBounds<u64> + Clone + Debug + OptionalSend>(
        &mut self,
        range: RB,
    ) -> Storage<Vec<RaftEntry>> {
        let start = match range.start_bound() {
            Bound::Included(index) => *index,
            Bound::Excluded(index) => index.saturating_add(1),
            Bound::Unbounded => 0,
        };
        let end = match range.end_bound() {
            Bound::Included(index) => index.saturating_add(1),
            Bound::Excluded(index) => *index,
            Bound::Unbounded => u64::MAX,
        };
        self.read(start, end, ALL, true)
    }

    async fn limited_get_log_entries(&mut self, start: u64, end: u64) -> Storage<Vec<RaftEntry>> {
        let entries = self.read(start, end, MESSAGE, false)?;
        // What is sent has to follow what the follower has. The library purges nothing that it is about to send while it
        // leads; but who sends may outlive that for a moment, and takes nothing for a heartbeat, which ends it.
        let follows = entries.first().is_none_or(|first| first.log_id.index == start);
        Ok(if follows { entries } else { Vec::new() })
    }
}

impl RaftLogStorage<TypeConfig> for LogStore {
    type LogReader = Self;

    async fn get_log_state(&mut self) -> Storage<LogState<TypeConfig>> {
        let extent = self.disk.extent();
        let id = |at| log_id(from_disk(at));
        Ok(LogState { last_purged_log_id: extent.purged.map(id), last_log_id: extent.last.map(id) })
    }

    async fn get_log_reader(&mut self) -> Self {
        self.clone()
    }

    async fn save_vote(&mut self, vote: &openraft::Vote<u64>) -> Storage<()> {
        let lsn = self.submit(Write::Vote(vote_of(vote)), ErrorSubject::Vote).await?;
        self.durable(lsn, ErrorSubject::Vote).await
    }

    async fn read_vote(&mut self) -> Storage<Option<openraft::Vote<u64>>> {
        Ok(self.disk.vote().map(raft_vote))
    }

    async fn save_committed(&mut self, committed: Option<LogId>) -> Storage<()> {
        self.disk.set_committed(self.edge.tellable(committed.map(position)).map(disk_position));
        Ok(())
    }

    async fn read_committed(&mut self) -> Storage<Option<LogId>> {
        Ok(self.disk.committed().map(|at| log_id(from_disk(at))))
    }

    async fn append<I>(&mut self, entries: I, callback: LogFlushed<TypeConfig>) -> Storage<()>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.purged().await?;
        let mut members = None;
        let mut run: Vec<Entry> = Vec::new();
        let (mut bytes, most) = (0, self.disk.largest_append());
        let mut lsn = None;
        for entry in entries {
            if matches!(entry.payload, EntryPayload::Membership(_)) {
                members = Some(position(entry.log_id));
            }
            let entry = Entry { at: disk_position(position(entry.log_id)), payload: record::encode(&entry.payload) };
            let size = entry.payload.len() as u64 + OVERHEAD;
            if bytes + size > most && !run.is_empty() {
                lsn = Some(self.submit(Write::Append(std::mem::take(&mut run)), ErrorSubject::Logs).await?);
                bytes = 0;
            }
            bytes += size;
            run.push(entry);
        }
        if !run.is_empty() {
            lsn = Some(self.submit(Write::Append(run), ErrorSubject::Logs).await?);
        }
        if let (Some(members), Some(lsn)) = (members, lsn) {
            // Rare, and who votes should not be a matter of belief for a moment.
            self.durable(lsn, ErrorSubject::Logs).await?;
            // Not before: until this has returned the library sends it to nobody and counts nothing by it, and readers
            // need not wait for the disk.
            self.edge.note_members(members);
        }
        callback.log_io_completed(Ok(()));
        Ok(())
    }

    async fn truncate(&mut self, from: LogId) -> Storage<()> {
        self.purged().await?;
        self.submit(Write::Truncate { from: from.index }, ErrorSubject::Logs).await?;
        Ok(())
    }

    async fn purge(&mut self, upto: LogId) -> Storage<()> {
        self.purged().await?;
        let upto = disk_position(position(upto));
        *self.waiting() = Some(upto);
        if self.covered.has(upto.index) {
            return self.purged().await;
        }
        self.covered.wants(upto.index);
        let store = self.clone();
        tokio::spawn(async move {
            if let Err(error) = store.purged().await {
                tracing::error!(%error, "the log is not purged");
            }
        });
        Ok(())
    }
}
