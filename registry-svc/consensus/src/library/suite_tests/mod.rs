//! The library's own suite for storage, over a real log on a real disk and a
//! machine in memory.

mod log;
mod machine;

use super::type_config::{LogId, RaftEntry, StoredMembership, TypeConfig};
use super::{Covered, LogStore, MachinePort};
use crate::edge::Edge;
use crate::{Answers, Snapshot, SnapshotMeta};
use log::SuitedLog;
use machine::{Memory, snapshot};
use openraft::storage::RaftStateMachine;
use openraft::testing::{StoreBuilder, Suite};
use openraft::{EmptyNode, OptionalSend, StorageError};
use registry_log::{Floor, Identity, Log, Settings};
use std::sync::Arc;
use tempfile::TempDir;
use tokio::sync::watch;

type Stored<T> = Result<T, StorageError<u64>>;

struct OnDisk;

impl StoreBuilder<TypeConfig, SuitedLog, Suited, TempDir> for OnDisk {
    async fn build(&self) -> Stored<(TempDir, SuitedLog, Suited)> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log");
        let identity = Identity { cluster: [1; 16], replica: 1, epoch: 0, store: [2; 16] };
        let settings = Settings { segment_bytes: 64 << 10, reserve_bytes: 0, ..Settings::default() };
        Log::create(&path, &identity, &settings).unwrap();
        let (log, _) = Log::open(&path, &identity, &settings, &Floor::default()).unwrap();
        let disk = Arc::new(log);
        let edge = Edge::new(disk.clone());
        // The suite purges what is in no snapshot.
        let covered = Covered::new(Some(u64::MAX));
        let (applied, _) = watch::channel(None);
        let port = MachinePort::new(Arc::new(Memory::default()), edge.clone(), covered.clone(), applied);
        Ok((dir, SuitedLog(LogStore::new(disk, edge, covered)), Suited(port)))
    }
}

/// The port, with the one thing that the suite asks for and nobody else does: a place for a snapshot that is received
/// piece by piece.
struct Suited(MachinePort);

impl RaftStateMachine<TypeConfig> for Suited {
    type SnapshotBuilder = MachinePort;

    async fn applied_state(&mut self) -> Stored<(Option<LogId>, StoredMembership)> {
        self.0.applied_state().await
    }

    async fn apply<I>(&mut self, entries: I) -> Stored<Vec<Answers>>
    where
        I: IntoIterator<Item = RaftEntry> + OptionalSend,
        I::IntoIter: OptionalSend,
    {
        self.0.apply(entries).await
    }

    async fn get_snapshot_builder(&mut self) -> MachinePort {
        self.0.get_snapshot_builder().await
    }

    async fn begin_receiving_snapshot(&mut self) -> Stored<Box<Snapshot>> {
        assert!(self.0.begin_receiving_snapshot().await.is_err(), "snapshots come in through the door");
        Ok(Box::new(snapshot(SnapshotMeta::default())))
    }

    async fn install_snapshot(
        &mut self,
        meta: &openraft::SnapshotMeta<u64, EmptyNode>,
        snapshot: Box<Snapshot>,
    ) -> Stored<()> {
        self.0.install_snapshot(meta, snapshot).await
    }

    async fn get_current_snapshot(&mut self) -> Stored<Option<openraft::Snapshot<TypeConfig>>> {
        self.0.get_current_snapshot().await
    }
}

#[test]
fn the_librarys_suite_passes_on_a_real_log() {
    Suite::test_all(OnDisk).unwrap();
}
