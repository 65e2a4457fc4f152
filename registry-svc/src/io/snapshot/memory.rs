//! A snapshot that stands in memory: the same bytes as a file has.

use super::{SnapshotError, reader, writer};
use bytes::Bytes;
use registry_consensus::{Applied, Snapshot, SnapshotSource};
use registry_domain::{Row, State};
use std::io;
use std::sync::Arc;

/// Bytes as a snapshot's source.
pub struct InMemory(pub Bytes);

impl SnapshotSource for InMemory {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }

    fn read_at(&self, offset: u64, most: usize) -> io::Result<Bytes> {
        let from = usize::try_from(offset).unwrap_or(usize::MAX).min(self.0.len());
        Ok(self.0.slice(from..from.saturating_add(most).min(self.0.len())))
    }
}

/// A snapshot of these rows.
pub(crate) fn of_rows(applied: &Applied, rows: impl Iterator<Item = Row>) -> Result<Snapshot, SnapshotError> {
    let (meta, bytes) = writer::in_memory(applied, rows)?;
    Ok(Snapshot { meta, source: Arc::new(InMemory(bytes.into())) })
}

/// The state in a snapshot, after all of it has been verified.
pub(crate) fn state(snapshot: &Snapshot) -> Result<State, SnapshotError> {
    reader::verify("in memory", &*snapshot.source)?.state()
}
