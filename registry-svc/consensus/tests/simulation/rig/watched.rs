//! A machine under the oracle's eyes.

use super::{Oracle, SimDisk, Subject};
use futures::future::BoxFuture;
use registry_consensus::{Answers, Applied, Committed, Machine, MachineFault, Snapshot, SnapshotMeta, SnapshotSink};
use std::sync::Arc;

pub(crate) struct Watched<S> {
    pub(crate) machine: Arc<S>,
    pub(crate) life: (u64, u64),
    pub(crate) disk: Arc<SimDisk>,
    pub(crate) oracle: Oracle,
}

impl<S: Subject> Machine for Watched<S> {
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault> {
        self.oracle.applying(self.life, &entries, &self.disk);
        self.machine.apply(entries)
    }

    fn applied(&self) -> Applied {
        self.machine.applied()
    }

    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>> {
        Box::pin(async {
            let taken = self.machine.take_snapshot().await?;
            self.oracle.snapshot_taken(self.life, &taken.meta, &self.disk);
            Ok(taken)
        })
    }

    fn newest_snapshot(&self) -> Result<Option<Snapshot>, MachineFault> {
        self.machine.newest_snapshot()
    }

    fn receive_snapshot(&self, meta: &SnapshotMeta, bytes: u64) -> Result<Box<dyn SnapshotSink>, MachineFault> {
        self.machine.receive_snapshot(meta, bytes)
    }

    fn install_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<(), MachineFault>> {
        Box::pin(async {
            let meta = snapshot.meta.clone();
            self.machine.install_snapshot(snapshot).await?;
            self.oracle.installed(self.life, &meta);
            Ok(())
        })
    }
}
