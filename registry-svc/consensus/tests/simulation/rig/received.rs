//! Snapshots as bytes in memory: sent from here, received there in pieces.

use super::Shelf;
use bytes::Bytes;
use registry_consensus::{MachineFault, Snapshot, SnapshotMeta, SnapshotSink, SnapshotSource};
use std::io;
use std::sync::Arc;

impl Shelf {
    /// Receives a snapshot, or goes on where it was interrupted.
    pub(crate) fn receive(&self, meta: &SnapshotMeta, bytes: u64) -> Box<dyn SnapshotSink> {
        let offset = self.partial(&meta.id);
        Box::new(Sink { meta: meta.clone(), bytes, offset, shelf: self.clone() })
    }
}

/// Bytes as the source of a snapshot.
pub(crate) struct Bits(pub(crate) Bytes);

impl SnapshotSource for Bits {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        let from = (offset as usize).min(self.0.len());
        Ok(self.0.slice(from..(from + most).min(self.0.len())))
    }
}

/// Where a peer's bytes go.
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
