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
    /// The number that this replica has to have; its directory says which one it has. 0: whichever that is.
    pub node_id: u64,
    /// Address for peers, as `http://host:port`; empty when embedded.
    pub advertise: String,
    /// Where the other replicas may be, as `http://host:port`; it may name this one, too. Empty: there are none.
    pub peers: Vec<String>,
    /// A `host:port` whose host has an address for each replica, as a headless service in Kubernetes.
    pub peers_dns: Option<String>,
    /// How many replicas found the cluster together.
    pub replicas: usize,
    /// Joins a cluster that exists, and never founds one.
    pub join: bool,
    /// And votes as soon as it has caught up; else an operator gives it its vote.
    pub join_votes: bool,
    /// So long without a sign of the leader, and nothing else against it, before the others replace it.
    pub election_timeout: Duration,
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
    /// The highest level of commands that this replica knows.
    pub feature_level: u16,
}

impl Options {
    /// A replica without others, not reachable for peers; an election timeout of a second; heartbeats every 2 s, lease 10 s,
    /// 10,000 events.
    pub fn new(data_dir: impl Into<PathBuf>, token: Secret) -> Self {
        Self {
            data_dir: data_dir.into(),
            node_id: 0,
            advertise: String::new(),
            peers: Vec::new(),
            peers_dns: None,
            replicas: 1,
            join: false,
            join_votes: false,
            election_timeout: Duration::from_secs(1),
            token,
            heartbeat_interval: Duration::from_secs(2),
            lease: Duration::from_secs(10),
            event_retention: 10_000,
            retention: Retention::default(),
            feature_level: crate::machine::payload::LEVEL,
        }
    }

    /// Whether nobody else takes part, as far as these options say.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.peers.is_empty() && self.peers_dns.is_none() && !self.join
    }

    /// Where peers may be at this moment: names are looked up anew each time.
    pub(crate) async fn peer_addresses(&self) -> Vec<String> {
        let mut addresses = self.peers.clone();
        if let Some(name) = &self.peers_dns {
            match tokio::net::lookup_host(name).await {
                Ok(found) => addresses.extend(found.map(|address| format!("http://{address}"))),
                Err(error) => tracing::warn!(name, %error, "cannot look up the peers"),
            }
        }
        addresses
    }
}

/// Whether it is an address under which replicas reach each other: http://HOST:PORT.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let parts = text.parse::<http::Uri>().ok().map(http::Uri::into_parts);
    parts.is_some_and(|parts| {
        parts.scheme.is_some_and(|scheme| scheme == http::uri::Scheme::HTTP)
            && parts.authority.is_some_and(|authority| authority.port().is_some())
    })
}
