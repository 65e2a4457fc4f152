//! What the other replicas ask of this one. The transport calls it after it
//! has made sure who asks.

use crate::{Answer, Call, MachineFault, Note, Snapshot, SnapshotMeta, SnapshotSink};
use futures::future::BoxFuture;
use registry_log::Vote;
use registry_quorum::ReplicaId;

/// The receiving end of [`Peers`](crate::Peers). Calls and notes of one link
/// are handed over in the order in which they came.
pub trait Door: Send + Sync + 'static {
    /// Answers a call. What decides about the order is done before this
    /// returns; the future only waits for the answer.
    fn call(&self, from: ReplicaId, call: Call) -> BoxFuture<'static, Answer>;

    /// Takes up a note.
    fn note(&self, from: ReplicaId, note: Note);

    /// A leader wants to send a snapshot: where its bytes go.
    ///
    /// # Errors
    /// Outer: no room for it. Inner: this vote is higher than the sender's; it is not the leader any more.
    fn begin_snapshot(
        &self,
        from: ReplicaId,
        vote: Vote,
        meta: &SnapshotMeta,
        bytes: u64,
    ) -> Result<Result<Box<dyn SnapshotSink>, Vote>, MachineFault>;

    /// All bytes are there and verified: the state becomes the snapshot's.
    /// Answers this replica's vote.
    fn end_snapshot(&self, from: ReplicaId, vote: Vote, snapshot: Snapshot) -> BoxFuture<'static, Vote>;
}
