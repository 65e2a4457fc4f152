//! What a registry needs to know.

use registry_domain::Retention;
use service_host::secret::Secret;
use std::path::PathBuf;
use std::time::Duration;

/// What a registry needs to know.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where log, state and snapshots are; made when missing. A real file
    /// system: what is acknowledged has been fsynced there.
    pub data_dir: PathBuf,
    /// Id of this replica, not 0.
    pub node_id: u64,
    /// Address for peers, as `http://host:port`; empty when embedded.
    pub advertise: String,
    /// The token that services use among each other.
    pub token: Secret,
    /// How often runners are asked to show that they live.
    pub heartbeat_interval: Duration,
    /// Silence after which a node counts as lost. At least three heartbeats,
    /// so that one that is late does not lose a node.
    pub lease: Duration,
    /// Events that are kept for watchers, at least 100.
    pub event_retention: usize,
    /// How long audit entries and generations are kept.
    pub retention: Retention,
}

impl Options {
    /// Replica 1, not reachable for peers; heartbeats every 2 s, lease 10 s,
    /// 10,000 events.
    pub fn new(data_dir: impl Into<PathBuf>, token: Secret) -> Self {
        Self {
            data_dir: data_dir.into(),
            node_id: 1,
            advertise: String::new(),
            token,
            heartbeat_interval: Duration::from_secs(2),
            lease: Duration::from_secs(10),
            event_retention: 10_000,
            retention: Retention::default(),
        }
    }
}
