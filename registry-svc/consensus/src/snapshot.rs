//! A snapshot: its place in the log, and bytes that somebody keeps (a file,
//! or memory in a simulation). How they are laid out is the machine's matter.

use crate::{MachineFault, Members};
use bytes::Bytes;
use registry_quorum::Position;
use std::fmt;
use std::io;
use std::sync::Arc;

/// What a snapshot is of.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SnapshotMeta {
    /// Names these very bytes: two snapshots with one id are equal byte by
    /// byte, wherever they are.
    pub id: String,
    /// The last entry in it.
    pub at: Option<Position>,
    /// The last change of the members in it.
    pub members_at: Option<Position>,
    /// The members as of there.
    pub members: Members,
}

/// A snapshot. Clones share the bytes, which stay readable as long as one of
/// them lives, also when a newer snapshot has taken the place of this one.
#[derive(Clone)]
pub struct Snapshot {
    /// What it is of.
    pub meta: SnapshotMeta,
    /// Its bytes.
    pub source: Arc<dyn SnapshotSource>,
}

/// The bytes of a snapshot.
pub trait SnapshotSource: Send + Sync + 'static {
    /// How many there are.
    fn len(&self) -> u64;
    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// Up to `most` bytes from an offset on; fewer only at the end. May block.
    ///
    /// # Errors
    /// What the system said.
    fn read_at(&self, offset: u64, most: usize) -> io::Result<Bytes>;
}

/// Where the bytes of a snapshot from a peer go.
pub trait SnapshotSink: Send + 'static {
    /// The offset from which on bytes are missing. More than 0 when an earlier
    /// transfer of the same snapshot was interrupted.
    fn offset(&self) -> u64;
    /// Appends bytes. May block.
    ///
    /// # Errors
    /// What the system said; the transfer ends and may be tried again.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;
    /// Verifies what was received and makes it durable.
    ///
    /// # Errors
    /// Incomplete or damaged: it is thrown away, and the peer has to send it anew.
    fn finish(self: Box<Self>) -> Result<Snapshot, MachineFault>;
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("meta", &self.meta).field("bytes", &self.source.len()).finish()
    }
}
