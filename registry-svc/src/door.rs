//! What the other replicas ask: consensus, and what this service adds to it.

use crate::driver::answer_peer;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_consensus::{
    Answer, Call, Consensus, Door, MachineFault, Note, ReplicaId, Snapshot, SnapshotMeta, SnapshotSink, Vote,
};

/// The door of a replica.
pub struct ServiceDoor(pub Consensus);

impl Door for ServiceDoor {
    fn call(&self, from: ReplicaId, call: Call) -> BoxFuture<'static, Answer> {
        match call {
            Call::Service(batch) => answer_peer(self.0.clone(), from, batch).boxed(),
            call @ (Call::Append(_) | Call::Vote(_) | Call::Confirm { .. } | Call::ReadIndex { .. }) => {
                self.0.call(from, call)
            }
        }
    }

    fn note(&self, from: ReplicaId, note: Note) {
        self.0.note(from, note);
    }

    fn begin_snapshot(
        &self,
        from: ReplicaId,
        vote: Vote,
        meta: &SnapshotMeta,
        bytes: u64,
    ) -> Result<Result<Box<dyn SnapshotSink>, Vote>, MachineFault> {
        self.0.begin_snapshot(from, vote, meta, bytes)
    }

    fn end_snapshot(&self, from: ReplicaId, vote: Vote, snapshot: Snapshot) -> BoxFuture<'static, Vote> {
        self.0.end_snapshot(from, vote, snapshot)
    }
}
