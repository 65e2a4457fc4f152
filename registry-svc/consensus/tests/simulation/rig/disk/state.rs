//! A disk at a moment: what is submitted, what of it is synced, and what is
//! wrong with it now.

use super::content::{Content, Record, size};
use crate::rig::{Dice, Oracle};
use registry_consensus::Done;
use registry_log::{Fault, Lsn, Notice, Position, Refused, Space, Vote, Write};
use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::time::Instant;

/// Bytes of one append.
pub(super) const LARGEST: u64 = crate::LARGEST_APPEND;
/// A full disk has room again when so much more than nothing fits.
const ENOUGH: u64 = 512;

/// What is left of a disk when its process is gone.
#[derive(Clone, Default)]
pub(crate) struct Kept {
    pub(crate) content: Content,
    pub(crate) committed: Option<Position>,
    pub(crate) history: History,
}

/// Everything that was ever durable on it, for the oracle.
#[derive(Clone, Default)]
pub(crate) struct History {
    pub(crate) entries: BTreeSet<(u64, u64)>,
    pub(crate) votes: BTreeSet<(u64, Option<u64>)>,
}

pub(super) struct Queued {
    pub(super) lsn: Lsn,
    pub(super) records: Vec<Record>,
    pub(super) since: Instant,
    pub(super) done: Done,
}

pub(super) struct State {
    pub(super) me: u64,
    pub(super) oracle: Oracle,
    pub(super) dice: Dice,
    pub(super) live: Content,
    pub(super) durable: Content,
    pub(super) history: History,
    pub(super) queue: VecDeque<Queued>,
    pub(super) next: Lsn,
    pub(super) synced: Lsn,
    pub(super) committed: Option<Position>,
    /// The committed position as the last mark has it.
    pub(super) marked: Option<Position>,
    pub(super) closed: Option<Fault>,
    pub(super) tell: mpsc::UnboundedSender<Notice>,
    pub(super) space: Space,
    /// Bytes that all entries may take.
    pub(super) capacity: u64,
    /// How long a sync takes, in microseconds.
    pub(super) pace: (u64, u64),
    pub(super) stalled_until: Option<Instant>,
    /// The next sync fails.
    pub(super) fails: bool,
}

impl State {
    pub(super) fn submit(&mut self, write: Write, done: Done) -> Result<Lsn, Refused> {
        if let Some(fault) = &self.closed {
            return Err(Refused::Failed(fault.clone()));
        }
        if let Write::Vote(vote) = &write {
            self.judge_vote(*vote);
        }
        let records = self.live.judge(write, LARGEST)?;
        let more: u64 = records.iter().map(entry_size).sum();
        if more > 0 && self.live.bytes() + more > self.capacity {
            self.set_space(Space::Full);
            self.oracle.count("append refused by a full disk");
            return Err(Refused::DiskFull);
        }
        for record in &records {
            self.live.apply(record);
        }
        if self.space == Space::Ample && self.room() < LARGEST {
            self.set_space(Space::Low);
        }
        self.next += records.len() as u64;
        let lsn = self.next - 1;
        self.queue.push_back(Queued { lsn, records, since: Instant::now(), done });
        Ok(lsn)
    }

    /// A promise is never taken back.
    fn judge_vote(&self, new: Vote) {
        let raises = self.live.vote.is_none_or(|old| old.term < new.term);
        if raises && !new.committed && new.voted_for == Some(self.me) {
            self.oracle.raises(self.me, new.term);
        }
        let Some(old) = self.live.vote else { return };
        let changed = old.voted_for.is_some() && old.voted_for != new.voted_for;
        if new.term < old.term || (new.term == old.term && changed && !new.committed) {
            self.oracle.violated(format!("replica {} goes back from {old:?} to {new:?}", self.me));
        }
    }

    /// What is queued now is synced: who has to hear of it.
    pub(super) fn synced(&mut self, upto: Lsn) -> Vec<(Lsn, Done)> {
        let mut answered = Vec::new();
        while let Some(queued) = self.queue.pop_front_if(|queued| queued.lsn <= upto) {
            for record in &queued.records {
                self.keep(record);
            }
            self.synced = queued.lsn.max(self.synced);
            answered.push((queued.lsn, queued.done));
        }
        self.look_for_room();
        answered
    }

    pub(super) fn keep(&mut self, record: &Record) {
        self.durable.apply(record);
        match record {
            Record::Entry(entry) => drop(self.history.entries.insert((entry.at.term, entry.at.index))),
            Record::Vote(vote) => drop(self.history.votes.insert((vote.term, vote.voted_for))),
            Record::Truncate(_) | Record::Purge(_) => {}
        }
    }

    /// Nothing is written any more; everybody who waits hears of it.
    pub(super) fn close(&mut self, fault: &Fault) -> Vec<Done> {
        self.closed.get_or_insert(fault.clone());
        self.queue.drain(..).map(|queued| queued.done).collect()
    }

    pub(super) fn set_space(&mut self, space: Space) {
        if std::mem::replace(&mut self.space, space) != space {
            // Nobody hears it when the replica is gone.
            let _ = self.tell.send(Notice::Space(space));
        }
    }

    /// Purged, or freed by somebody else.
    pub(super) fn look_for_room(&mut self) {
        let free = self.room();
        if self.space != Space::Ample && free > ENOUGH {
            self.set_space(if free > LARGEST { Space::Ample } else { Space::Low });
        }
    }

    pub(super) fn room(&self) -> u64 {
        self.capacity.saturating_sub(self.live.bytes())
    }
}

fn entry_size(record: &Record) -> u64 {
    match record {
        Record::Entry(entry) => size(entry),
        Record::Truncate(_) | Record::Purge(_) | Record::Vote(_) => 0,
    }
}

pub(super) fn failed() -> Fault {
    Fault::Io { doing: "write to", file: "segment".into(), source: Arc::new(io::Error::other("EIO")) }
}
