//! A machine that remembers the words of the batches, in order.

use bytes::Bytes;
use futures::future::BoxFuture;
use registry_consensus::{
    Answers, Applied, Committed, Entry, Machine, MachineFault, Snapshot, SnapshotMeta, SnapshotSink, SnapshotSource,
};
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

/// Where snapshots outlive their process.
pub(crate) type Shelf = Arc<Mutex<Option<Snapshot>>>;

#[derive(Default)]
pub(crate) struct Journal {
    shelf: Shelf,
    state: Mutex<State>,
    count: watch::Sender<usize>,
}

#[derive(Default, Clone)]
struct State {
    words: Vec<String>,
    applied: Applied,
}

struct Memory(Bytes);

impl SnapshotSource for Memory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        let from = (offset as usize).min(self.0.len());
        Ok(self.0.slice(from..(from + most).min(self.0.len())))
    }
}

struct Sink(SnapshotMeta, Vec<u8>);

impl SnapshotSink for Sink {
    fn offset(&self) -> u64 {
        self.1.len() as u64
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.1.extend(bytes);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Snapshot, MachineFault> {
        Ok(Snapshot { meta: self.0, source: Arc::new(Memory(self.1.into())) })
    }
}

impl Journal {
    pub(crate) fn open(shelf: Shelf) -> Self {
        let journal = Self { shelf, ..Self::default() };
        if let Some(snapshot) = journal.shelf.lock().unwrap().clone() {
            journal.restore(&snapshot);
        }
        journal
    }

    fn restore(&self, snapshot: &Snapshot) {
        let bytes = snapshot.source.read_at(0, usize::MAX / 2).unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let mut state = self.state.lock().unwrap();
        state.words = text.split('\n').filter(|word| !word.is_empty()).map(str::to_owned).collect();
        let meta = &snapshot.meta;
        state.applied = Applied { at: meta.at, members_at: meta.members_at, members: meta.members.clone() };
        self.count.send_replace(state.words.len());
    }

    pub(crate) fn words(&self) -> Vec<String> {
        self.state.lock().unwrap().words.clone()
    }

    pub(crate) async fn wait_for(&self, words: &[String]) {
        let mut count = self.count.subscribe();
        let reached = count.wait_for(|count| *count >= words.len());
        let reached = tokio::time::timeout(super::PATIENCE, reached).await.is_ok();
        assert!(reached, "{:?} never became {words:?}", self.words());
        assert_eq!(self.words(), words);
    }

    pub(crate) fn take(&self) -> Snapshot {
        let state = self.state.lock().unwrap();
        let bytes = Bytes::from(state.words.join("\n"));
        let applied = &state.applied;
        let meta = SnapshotMeta {
            id: format!("{:?}-{}", applied.at, bytes.len()),
            at: applied.at,
            members_at: applied.members_at,
            members: applied.members.clone(),
        };
        let snapshot = Snapshot { meta, source: Arc::new(Memory(bytes)) };
        *self.shelf.lock().unwrap() = Some(snapshot.clone());
        snapshot
    }
}

impl Machine for Journal {
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault> {
        let mut state = self.state.lock().unwrap();
        for entry in &entries {
            assert!(state.applied.at.is_none_or(|at| at.index + 1 == entry.at.index), "a gap before {}", entry.at);
            state.applied.at = Some(entry.at);
            match &entry.entry {
                Entry::Blank => {}
                Entry::Members(members) => {
                    state.applied.members_at = Some(entry.at);
                    state.applied.members = members.clone();
                }
                Entry::Batch(payload) => {
                    let text = String::from_utf8(payload.bytes()[1..].to_vec()).unwrap();
                    state.words.push(text);
                }
            }
        }
        self.count.send_replace(state.words.len());
        Ok(entries.iter().map(|_| Answers::default()).collect())
    }

    fn applied(&self) -> Applied {
        self.state.lock().unwrap().applied.clone()
    }

    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>> {
        Box::pin(async { Ok(self.take()) })
    }

    fn newest_snapshot(&self) -> Result<Option<Snapshot>, MachineFault> {
        Ok(self.shelf.lock().unwrap().clone())
    }

    fn receive_snapshot(&self, meta: &SnapshotMeta, _: u64) -> Result<Box<dyn SnapshotSink>, MachineFault> {
        Ok(Box::new(Sink(meta.clone(), Vec::new())))
    }

    fn install_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<(), MachineFault>> {
        Box::pin(async move {
            self.restore(&snapshot);
            *self.shelf.lock().unwrap() = Some(snapshot);
            Ok(())
        })
    }
}
