//! The simple machine: words, each counted once, as the registry counts
//! requests by their ids.

use crate::rig::{Shelf, Subject};
use bytes::Bytes;
use futures::future::BoxFuture;
use registry_consensus::{
    Answers, Applied, Committed, Entry, Machine, MachineFault, Payload, Snapshot, SnapshotMeta, SnapshotSink,
    SnapshotSource,
};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};

/// The replicated words.
pub(crate) struct Words {
    shelf: Shelf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    order: Vec<u64>,
    times: BTreeMap<u64, u32>,
    applied: Applied,
}

/// Filling, so that a log grows.
const FILLING: usize = 300;

impl Words {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn restore(&self, snapshot: &Snapshot) -> io::Result<()> {
        let bytes = snapshot.source.read_at(0, usize::MAX / 2)?;
        let mut state = self.lock();
        state.order = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        state.times = BTreeMap::new();
        for word in state.order.clone() {
            *state.times.entry(word).or_default() += 1;
        }
        let SnapshotMeta { at, members_at, members, .. } = snapshot.meta.clone();
        state.applied = Applied { at, members_at, members };
        Ok(())
    }
}

impl Subject for Words {
    fn open(shelf: Shelf) -> Arc<Self> {
        let words = Self { shelf, state: Mutex::default() };
        if let Some(snapshot) = words.shelf.snapshot() {
            words.restore(&snapshot).unwrap();
        }
        Arc::new(words)
    }

    fn batch(word: u64) -> Payload {
        let mut bytes = vec![Payload::FIRST_FORMAT];
        bytes.extend(word.to_le_bytes());
        bytes.resize(bytes.len() + FILLING, 0);
        Payload::new(bytes.into()).unwrap()
    }

    fn times(&self, word: u64) -> u32 {
        self.lock().times.get(&word).copied().unwrap_or(0)
    }

    fn words(&self) -> Vec<u64> {
        self.lock().order.clone()
    }
}

impl Machine for Words {
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault> {
        let mut state = self.lock();
        for Committed { at, entry } in &entries {
            state.applied.at = Some(*at);
            match entry {
                Entry::Blank => {}
                Entry::Members(members) => {
                    state.applied.members_at = Some(*at);
                    state.applied.members = members.clone();
                }
                Entry::Batch(payload) => {
                    let word = u64::from_le_bytes(payload.bytes()[1..9].try_into().unwrap());
                    if !state.times.contains_key(&word) {
                        *state.times.entry(word).or_default() += 1;
                        state.order.push(word);
                    }
                }
            }
        }
        Ok(entries.iter().map(|_| Answers::default()).collect())
    }

    fn applied(&self) -> Applied {
        self.lock().applied.clone()
    }

    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>> {
        let (applied, bytes) = {
            let state = self.lock();
            (
                state.applied.clone(),
                Bytes::from(state.order.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>()),
            )
        };
        Box::pin(async move {
            let Applied { at, members_at, members } = applied;
            let id = format!("{at:?}");
            let snapshot =
                Snapshot { meta: SnapshotMeta { id, at, members_at, members }, source: Arc::new(Bits(bytes)) };
            tokio::time::sleep(self.shelf.dice().millis(1, 60)).await;
            self.shelf.put(snapshot.clone());
            Ok(snapshot)
        })
    }

    fn newest_snapshot(&self) -> Result<Option<Snapshot>, MachineFault> {
        Ok(self.shelf.snapshot())
    }

    fn receive_snapshot(&self, meta: &SnapshotMeta, bytes: u64) -> Result<Box<dyn SnapshotSink>, MachineFault> {
        let offset = self.shelf.partial(&meta.id);
        Ok(Box::new(Sink { meta: meta.clone(), bytes, offset, shelf: self.shelf.clone() }))
    }

    fn install_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<(), MachineFault>> {
        Box::pin(async move {
            tokio::time::sleep(self.shelf.dice().millis(0, 20)).await;
            self.shelf.put(snapshot.clone());
            self.restore(&snapshot).map_err(|error| MachineFault::new("cannot read a snapshot", error))?;
            // The file is there, and the process may end before anybody hears of it.
            tokio::time::sleep(self.shelf.dice().millis(0, 20)).await;
            Ok(())
        })
    }
}

struct Bits(Bytes);

impl SnapshotSource for Bits {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        let from = (offset as usize).min(self.0.len());
        Ok(self.0.slice(from..(from + most).min(self.0.len())))
    }
}

struct Sink {
    meta: SnapshotMeta,
    bytes: u64,
    offset: usize,
    shelf: Shelf,
}

impl SnapshotSink for Sink {
    fn offset(&self) -> u64 {
        self.offset as u64
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        if !self.shelf.append(&self.meta.id, self.offset, bytes) {
            return Err(io::Error::other("somebody else writes there"));
        }
        self.offset += bytes.len();
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Snapshot, MachineFault> {
        let bytes = self.shelf.received(&self.meta.id).filter(|bytes| bytes.len() as u64 == self.bytes);
        let bytes = bytes.ok_or_else(|| MachineFault::because("the snapshot is incomplete"))?;
        Ok(Snapshot { meta: self.meta, source: Arc::new(Bits(bytes.into())) })
    }
}
