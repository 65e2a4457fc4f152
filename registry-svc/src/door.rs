//! What the other replicas ask: consensus, and what this service adds to it.

use crate::clock::Clock;
use crate::driver::answer_peer;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_consensus::{
    Answer, Call, Consensus, Door, MachineFault, Note, ReplicaId, Snapshot, SnapshotMeta, SnapshotSink, Vote,
};

/// The door of a replica.
pub struct ServiceDoor {
    /// What most of it is for.
    pub consensus: Consensus,
    /// Of this replica: what others forward to it happens at its time.
    pub clock: Clock,
}

impl Door for ServiceDoor {
    fn call(&self, from: ReplicaId, call: Call) -> BoxFuture<'static, Answer> {
        match call {
            Call::Service(batch) => answer_peer(self.consensus.clone(), self.clock.clone(), from, batch).boxed(),
            call @ (Call::Append(_) | Call::Vote(_) | Call::Confirm { .. } | Call::ReadIndex { .. }) => {
                self.consensus.call(from, call)
            }
        }
    }

    fn note(&self, from: ReplicaId, note: Note) {
        self.consensus.note(from, note);
    }

    fn begin_snapshot(
        &self,
        from: ReplicaId,
        vote: Vote,
        meta: &SnapshotMeta,
        bytes: u64,
    ) -> Result<Result<Box<dyn SnapshotSink>, Vote>, MachineFault> {
        self.consensus.begin_snapshot(from, vote, meta, bytes)
    }

    fn end_snapshot(&self, from: ReplicaId, vote: Vote, snapshot: Snapshot) -> BoxFuture<'static, Vote> {
        self.consensus.end_snapshot(from, vote, snapshot)
    }
}
