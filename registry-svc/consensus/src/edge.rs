//! Durability at the edges. The Raft library is told that a write is done as
//! soon as it is submitted, so that its core never waits for the disk and a
//! leader's own sync overlaps with those of its followers. In exchange nothing
//! leaves this replica, or becomes visible in it, before the disk has it:
//!
//! 1. an answer to entries leaves after everything submitted is durable (the door);
//! 2. a committed entry is applied after it is durable here (the machine);
//! 3. the commit position that goes to followers is at most what is durable
//!    here, since the library counts this replica's copy from the start;
//! 4. a vote is waited for, and as the disk keeps the order of submission,
//!    everything before it is durable then too.
//!
//! So whatever was acknowledged or can be read is on the disks of a true
//! majority. What the library believed beyond that is forgotten in a crash,
//! and nobody was told of it.

use crate::LogDisk;
use registry_log::{Entry, Fault, Lsn, Refused, Space, Write};
use registry_quorum::Position;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{Notify, watch};

/// What is on its way to the disk.
pub(crate) struct Edge {
    disk: Arc<dyn LogDisk>,
    pending: Mutex<Pending>,
    progress: watch::Sender<Progress>,
    submitted: AtomicU64,
    /// A follower was told of less than is committed; it is told again when the disk has caught up.
    held_back: AtomicBool,
    pub(crate) caught_up: Notify,
    /// Payload bytes appended since this was opened, for the snapshot policy.
    appended: AtomicU64,
    /// The last entry that somebody may have seen: it was told to a follower as committed, or is applied here.
    shown: Mutex<Option<Position>>,
    /// The last entry that was appended here and says who takes part; it may have been cut off since.
    members: Mutex<Option<Position>>,
    /// How the disk is filled; told whenever it may have room again.
    space: watch::Sender<Space>,
    /// The most bytes that were refused since there was room.
    refused: AtomicU64,
}

/// How far the disk has come.
#[derive(Debug, Clone, Default)]
struct Progress {
    lsn: Lsn,
    fault: Option<Fault>,
}

/// Runs of entries that are submitted and not yet durable, oldest first.
#[derive(Default)]
struct Pending(VecDeque<Run>);

struct Run {
    first: u64,
    last: u64,
    lsn: Lsn,
}

impl Pending {
    /// Entries from here on are gone.
    fn truncate(&mut self, from: u64) {
        while self.0.back().is_some_and(|run| run.first >= from) {
            self.0.pop_back();
        }
        if let Some(run) = self.0.back_mut() {
            run.last = run.last.min(from.saturating_sub(1));
        }
    }

    fn durable(&mut self, lsn: Lsn) {
        while self.0.front().is_some_and(|run| run.lsn <= lsn) {
            self.0.pop_front();
        }
    }
}

impl Edge {
    pub(crate) fn new(disk: Arc<dyn LogDisk>) -> Arc<Self> {
        let lsn = disk.durable().lsn;
        Arc::new(Self {
            disk,
            pending: Mutex::default(),
            progress: watch::Sender::new(Progress { lsn, fault: None }),
            submitted: AtomicU64::new(lsn),
            held_back: AtomicBool::new(false),
            caught_up: Notify::new(),
            appended: AtomicU64::new(0),
            shown: Mutex::default(),
            members: Mutex::default(),
            space: watch::Sender::new(Space::Ample),
            refused: AtomicU64::new(0),
        })
    }

    /// Submits a write. There is one writer, the library's core: nothing it submits can be committed before this
    /// returns, so that noting the run afterwards is early enough.
    pub(crate) fn submit(self: &Arc<Self>, write: Write) -> Result<Lsn, Refused> {
        let run = run_of(&write);
        let truncated = if let Write::Truncate { from } = &write { Some(*from) } else { None };
        let edge = self.clone();
        // Not under our lock: it may wait for room, and callbacks need the lock.
        let lsn = self.disk.submit(write, Box::new(move |result| edge.done(result)))?;
        let mut pending = self.pending();
        if let Some(from) = truncated {
            pending.truncate(from);
        }
        if let Some((first, last, bytes)) = run {
            if self.progress.borrow().lsn < lsn {
                pending.0.push_back(Run { first, last, lsn });
            }
            self.appended.fetch_add(bytes, Ordering::Relaxed);
        }
        self.submitted.store(lsn, Ordering::Release);
        Ok(lsn)
    }

    fn done(&self, result: Result<Lsn, Fault>) {
        let mut pending = self.pending();
        match result {
            Ok(lsn) => {
                pending.durable(lsn);
                // Under the lock, so that `submit` sees either the run or the progress.
                self.progress.send_modify(|progress| progress.lsn = progress.lsn.max(lsn));
                drop(pending);
                if self.held_back.swap(false, Ordering::AcqRel) {
                    self.caught_up.notify_one();
                }
            }
            Err(fault) => self.progress.send_modify(|progress| {
                progress.fault.get_or_insert(fault);
            }),
        }
    }

    /// Waits until this record is durable.
    pub(crate) async fn durable(&self, lsn: Lsn) -> Result<(), Fault> {
        let mut progress = self.progress.subscribe();
        let reached = progress.wait_for(|progress| progress.lsn >= lsn || progress.fault.is_some()).await;
        match reached {
            Ok(progress) => progress.fault.clone().filter(|_| progress.lsn < lsn).map_or(Ok(()), Err),
            // Cannot be: we hold the sender.
            Err(_closed) => Err(Fault::Closed),
        }
    }

    /// Waits until everything is durable that was submitted before.
    pub(crate) async fn all_durable(&self) -> Result<(), Fault> {
        self.durable(self.submitted.load(Ordering::Acquire)).await
    }

    /// Waits until this entry, and every one before it, is durable.
    pub(crate) async fn entry_durable(&self, index: u64) -> Result<(), Fault> {
        let lsn = self.pending().0.iter().rev().find(|run| run.first <= index).map(|run| run.lsn);
        match lsn {
            Some(lsn) => self.durable(lsn).await,
            None => Ok(()),
        }
    }

    /// The commit position that may be told to followers.
    pub(crate) fn tellable(&self, committed: Option<Position>) -> Option<Position> {
        let committed = committed?;
        let first = match self.pending().0.front() {
            Some(run) if run.first <= committed.index => run.first,
            Some(_) | None => return Some(committed),
        };
        self.held_back.store(true, Ordering::Release);
        // Done in the meantime: nobody else would say so.
        if self.pending().0.front().is_none_or(|run| run.first > committed.index) {
            self.caught_up.notify_one();
        }
        let index = first.checked_sub(1)?;
        self.disk.term(index).map(|term| Position { term, index })
    }

    /// From now on the state may be seen somewhere as it is after this entry, which is committed. Said before it is so.
    pub(crate) fn show(&self, at: Position) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        *shown = Some(at).max(*shown);
    }

    /// The last entry after which the state may be seen somewhere.
    pub(crate) fn shown(&self) -> Option<Position> {
        *self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// An entry that says who takes part was appended: from now on it counts.
    pub(crate) fn note_members(&self, at: Position) {
        *self.members.lock().unwrap_or_else(PoisonError::into_inner) = Some(at);
    }

    /// The last of them.
    pub(crate) fn members(&self) -> Option<Position> {
        *self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The disk says how it is filled.
    pub(crate) fn set_space(&self, space: Space) {
        self.space.send_replace(space);
    }

    /// Whether the disk would be full with so many bytes more. It is said before it is so: an append that the disk
    /// refuses holds up the library, and with it the purge that would make room. What is left then is for the entries
    /// that are on their way already, and for a new leader's first one.
    pub(crate) fn is_full(&self, more: u64) -> bool {
        let ample = *self.space.borrow() == Space::Ample;
        let full = !ample && self.disk.room() < more.saturating_add(self.disk.largest_append() / 8);
        if full {
            self.refused.fetch_max(more, Ordering::Relaxed);
        }
        full
    }

    /// Whether the disk has no room for what was refused before.
    pub(crate) fn is_still_full(&self) -> bool {
        let full = self.is_full(self.refused.load(Ordering::Relaxed));
        if !full {
            self.refused.store(0, Ordering::Relaxed);
        }
        full
    }

    /// Told when the disk may have room again; to be asked for before what may be refused.
    pub(crate) fn space(&self) -> watch::Receiver<Space> {
        self.space.subscribe()
    }

    /// Payload bytes appended so far.
    pub(crate) fn appended(&self) -> u64 {
        self.appended.load(Ordering::Relaxed)
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn run_of(write: &Write) -> Option<(u64, u64, u64)> {
    let Write::Append(entries) = write else { return None };
    let bytes = entries.iter().map(size).sum();
    Some((entries.first()?.at.index, entries.last()?.at.index, bytes))
}

fn size(entry: &Entry) -> u64 {
    entry.payload.len() as u64
}
