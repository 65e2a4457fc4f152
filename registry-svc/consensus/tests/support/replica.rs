//! One replica: its log on a real disk, its machine in memory.

use super::machine::Shelf;
use super::{Journal, Links};
use registry_consensus::{Consensus, Ports, ReplicaId, Settings};
use registry_log::{Floor, Identity, Log, Notify};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;

pub(crate) struct Replica {
    pub(crate) consensus: Consensus,
    pub(crate) journal: Arc<Journal>,
    pub(crate) log: Arc<Log>,
}

fn settings() -> registry_log::Settings {
    registry_log::Settings { segment_bytes: 256 << 10, reserve_bytes: 0, ..registry_log::Settings::default() }
}

impl Replica {
    pub(crate) fn dir(root: &Path, id: u64) -> PathBuf {
        root.join(format!("replica-{id}"))
    }

    pub(crate) async fn start(id: u64, root: &Path, links: &Arc<Links>, shelf: Shelf) -> Self {
        let dir = Self::dir(root, id);
        let identity = Identity { cluster: [7; 16], replica: id, epoch: 0, store: [id as u8; 16] };
        if !dir.exists() {
            Log::create(&dir, &identity, &settings()).unwrap();
        }
        let (tell, notices) = mpsc::unbounded_channel();
        let notify = Notify::new(move |notice| drop(tell.send(notice)));
        let settings = registry_log::Settings { notify: Some(notify), ..settings() };
        let (log, _) = Log::open(&dir, &identity, &settings, &Floor::default()).unwrap();
        let log = Arc::new(log);
        let journal = Arc::new(Journal::open(shelf));
        let ports = Ports { disk: log.clone(), notices, machine: journal.clone(), peers: links.peers(id) };
        let settings = Settings {
            // Nobody is replaced because this machine stood still for some seconds: here leaders end by broken links.
            election_timeout: Duration::from_secs(20),
            snapshot_after: 64 << 10,
            keep: 8 << 10,
            ..Settings::new(id)
        };
        let consensus = Consensus::start(ReplicaId(id), settings, ports).await.unwrap();
        links.open(id, consensus.clone());
        Self { consensus, journal, log }
    }

    /// Lets go of everything without finishing anything: the log is closed, and what the engine still wants fails.
    pub(crate) async fn drop_dead(self) {
        let _ = self.log.close();
        self.consensus.stop().await;
    }
}
