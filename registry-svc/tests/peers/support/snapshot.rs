//! Snapshots in memory: a source that can stop, a place that keeps what was
//! interrupted.

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_consensus::{MachineFault, Position, Snapshot, SnapshotMeta, SnapshotSink, SnapshotSource, Vote};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex};
use tokio::sync::watch;

type AtOffset = Box<dyn Fn(u64) -> io::Result<()> + Send + Sync>;

/// Bytes, and what happens when an offset is read.
pub(crate) struct Source {
    bytes: Bytes,
    pub(crate) reads: Mutex<Vec<u64>>,
    before: Mutex<AtOffset>,
}

impl Source {
    pub(crate) fn new(len: usize) -> Arc<Self> {
        let bytes: Vec<u8> = (0..len).map(|n| (n * 31 % 251) as u8).collect();
        Arc::new(Self { bytes: bytes.into(), reads: Mutex::default(), before: Mutex::new(Box::new(|_| Ok(()))) })
    }

    pub(crate) fn before(&self, before: impl Fn(u64) -> io::Result<()> + Send + Sync + 'static) {
        *self.before.lock().unwrap() = Box::new(before);
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Named for its bytes, as a real one is.
    pub(crate) fn snapshot(self: &Arc<Self>) -> Snapshot {
        let id = format!("{:08x}", crc32fast::hash(&self.bytes));
        let meta = SnapshotMeta { id, at: Some(Position { term: 1, index: 9 }), ..SnapshotMeta::default() };
        Snapshot { meta, source: self.clone() }
    }
}

impl SnapshotSource for Source {
    fn len(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        self.reads.lock().unwrap().push(offset);
        (self.before.lock().unwrap())(offset)?;
        let from = offset as usize;
        Ok(self.bytes.slice(from..self.bytes.len().min(from + most)))
    }
}

/// Where snapshots of peers go.
#[derive(Clone)]
pub(crate) struct Depot {
    partial: Arc<Mutex<BTreeMap<String, Vec<u8>>>>,
    /// How many bytes of the transfer there are.
    pub(crate) progress: Arc<watch::Sender<usize>>,
    pub(crate) taken: Arc<Mutex<Vec<Snapshot>>>,
    /// A vote that is known here.
    pub(crate) higher: Arc<Mutex<Option<Vote>>>,
    /// Changes what is written at an offset.
    pub(crate) spoil_at: Arc<Mutex<Option<usize>>>,
    /// Sinks that are in somebody's hands.
    pub(crate) open: Arc<watch::Sender<usize>>,
}

impl Default for Depot {
    fn default() -> Self {
        Self {
            partial: Arc::default(),
            progress: Arc::new(watch::Sender::new(0)),
            taken: Arc::default(),
            higher: Arc::default(),
            spoil_at: Arc::default(),
            open: Arc::new(watch::Sender::new(0)),
        }
    }
}

impl Depot {
    pub(crate) fn begin(
        &self,
        _vote: Vote,
        meta: &SnapshotMeta,
        bytes: u64,
    ) -> Result<Result<Box<dyn SnapshotSink>, Vote>, MachineFault> {
        if let Some(higher) = *self.higher.lock().unwrap() {
            return Ok(Err(higher));
        }
        self.open.send_modify(|open| *open += 1);
        assert_eq!(*self.open.borrow(), 1, "two write to one place");
        Ok(Ok(Box::new(Sink { depot: self.clone(), meta: meta.clone(), expected: bytes })))
    }

    pub(crate) fn end(&self, vote: Vote, snapshot: Snapshot) -> BoxFuture<'static, Vote> {
        self.taken.lock().unwrap().push(snapshot);
        std::future::ready(vote).boxed()
    }

    pub(crate) fn partial(&self) -> usize {
        self.partial.lock().unwrap().values().map(Vec::len).sum()
    }
}

struct Sink {
    depot: Depot,
    meta: SnapshotMeta,
    expected: u64,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.depot.open.send_modify(|open| *open -= 1);
    }
}

impl SnapshotSink for Sink {
    fn offset(&self) -> u64 {
        self.depot.partial.lock().unwrap().get(&self.meta.id).map_or(0, |bytes| bytes.len() as u64)
    }

    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut partial = self.depot.partial.lock().unwrap();
        let kept = partial.entry(self.meta.id.clone()).or_default();
        kept.extend_from_slice(bytes);
        if let Some(at) = self.depot.spoil_at.lock().unwrap().take_if(|at| *at < kept.len()) {
            kept[at] ^= 1;
        }
        let len = kept.len();
        drop(partial);
        self.depot.progress.send_replace(len);
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<Snapshot, MachineFault> {
        let bytes = self.depot.partial.lock().unwrap().remove(&self.meta.id).unwrap_or_default();
        let found = format!("{:08x}", crc32fast::hash(&bytes));
        if found != self.meta.id || bytes.len() as u64 != self.expected {
            let why = io::Error::other(format!("its checksum is {found} and not {}", self.meta.id));
            return Err(MachineFault::new("the snapshot that was received is damaged", why));
        }
        let source = Source { bytes: bytes.into(), reads: Mutex::default(), before: Mutex::new(Box::new(|_| Ok(()))) };
        Ok(Snapshot { meta: self.meta.clone(), source: Arc::new(source) })
    }
}
