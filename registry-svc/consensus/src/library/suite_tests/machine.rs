//! A machine that knows where it is and who takes part, and nothing else.

use crate::{
    Answers, Applied, Committed, Entry, Machine, MachineFault, Snapshot, SnapshotMeta, SnapshotSink, SnapshotSource,
};
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use std::io;
use std::sync::{Arc, Mutex};

#[derive(Default)]
pub(super) struct Memory {
    applied: Mutex<Applied>,
    newest: Mutex<Option<Snapshot>>,
}

struct Nothing;

impl SnapshotSource for Nothing {
    fn len(&self) -> u64 {
        0
    }

    fn read_at(&self, _: u64, _: usize) -> io::Result<Bytes> {
        Ok(Bytes::new())
    }
}

/// A snapshot of nothing.
pub(super) fn snapshot(meta: SnapshotMeta) -> Snapshot {
    Snapshot { meta, source: Arc::new(Nothing) }
}

impl Machine for Memory {
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault> {
        let mut applied = self.applied.lock().unwrap();
        for Committed { at, entry } in &entries {
            applied.at = Some(*at);
            if let Entry::Members(members) = entry {
                (applied.members_at, applied.members) = (Some(*at), members.clone());
            }
        }
        Ok(entries.iter().map(|_| Answers::default()).collect())
    }

    fn applied(&self) -> Applied {
        self.applied.lock().unwrap().clone()
    }

    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>> {
        let Applied { at, members_at, members } = self.applied();
        let taken = snapshot(SnapshotMeta { id: format!("{at:?}"), at, members_at, members });
        *self.newest.lock().unwrap() = Some(taken.clone());
        ready(Ok(taken)).boxed()
    }

    fn newest_snapshot(&self) -> Result<Option<Snapshot>, MachineFault> {
        Ok(self.newest.lock().unwrap().clone())
    }

    fn receive_snapshot(&self, _: &SnapshotMeta, _: u64) -> Result<Box<dyn SnapshotSink>, MachineFault> {
        Err(MachineFault::because("nobody sends it one"))
    }

    fn install_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<(), MachineFault>> {
        let SnapshotMeta { at, members_at, members, .. } = snapshot.meta.clone();
        *self.applied.lock().unwrap() = Applied { at, members_at, members };
        *self.newest.lock().unwrap() = Some(snapshot);
        ready(Ok(())).boxed()
    }
}
