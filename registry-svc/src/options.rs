//! What a registry needs to know.

use registry_domain::Retention;
use registry_quorum::founding::Entry;
use service_host::client::Credentials;
use service_host::identity::{Authority, Clients, Identity};
use service_host::secret::Secret;
use service_host::transport::Incoming;
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
    /// How it comes into a cluster, when its directory is fresh.
    pub entry: Entry,
    /// And votes as soon as it has caught up; else an operator gives it its vote.
    pub join_votes: bool,
    /// So long without a sign of the leader, and nothing else against it, before the others replace it.
    pub election_timeout: Duration,
    /// The token that services use among each other on plain text.
    pub token: Secret,
    /// Who this replica is; with it, nothing is sent or taken in plain text.
    pub identity: Option<Identity>,
    /// With which nodes that were invited are certified, when this replica leads.
    pub authority: Option<Authority>,
    /// How long a node's certificate counts; its runner has it renewed in time.
    pub node_certificate_life: Duration,
    /// How often runners are asked to show that they live.
    pub heartbeat_interval: Duration,
    /// Silence after which a node counts as lost. At least three heartbeats,
    /// so that one that is late does not lose a node.
    pub lease: Duration,
    /// Heartbeats that a leader takes in a second, of all nodes together: of more nodes each is heard less often, and
    /// its lease is as much longer.
    pub heartbeats_per_second: u32,
    /// Runners that a leader receives in a second; the others are told when to come again.
    pub sessions_per_second: u32,
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
            entry: Entry::Found,
            join_votes: false,
            election_timeout: Duration::from_secs(1),
            token,
            identity: None,
            authority: None,
            node_certificate_life: Duration::from_secs(30 * 24 * 3600),
            heartbeat_interval: Duration::from_secs(2),
            lease: Duration::from_secs(10),
            heartbeats_per_second: 5_000,
            sessions_per_second: 500,
            event_retention: 10_000,
            retention: Retention::default(),
            feature_level: crate::machine::payload::LEVEL,
        }
    }

    /// Whether nobody else takes part, as far as these options say.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.peers.is_empty() && self.peers_dns.is_none() && self.entry == Entry::Found
    }

    /// What this replica shows to the others.
    #[must_use]
    pub(crate) fn credentials(&self) -> Credentials {
        Credentials::new(self.token.clone(), self.identity.clone())
    }

    /// What it takes at a socket. Without a certificate one may only join.
    #[must_use]
    pub fn incoming(&self, listener: tokio::net::TcpListener) -> Incoming {
        Incoming::tcp(listener, self.identity.as_ref(), Clients::Joining)
    }

    /// Where peers may be at this moment: names are looked up anew each time.
    pub(crate) async fn peer_addresses(&self) -> Vec<String> {
        let mut addresses = self.peers.clone();
        if let Some(name) = &self.peers_dns {
            match tokio::net::lookup_host(name).await {
                Ok(found) => {
                    let scheme = if self.identity.is_some() { "https" } else { "http" };
                    addresses.extend(found.map(|address| format!("{scheme}://{address}")));
                }
                Err(error) => tracing::warn!(name, %error, "cannot look up the peers"),
            }
        }
        addresses
    }
}

/// Whether it is an address under which replicas reach each other: http://HOST:PORT, or https://HOST:PORT.
#[must_use]
pub fn is_address(text: &str) -> bool {
    let parts = text.parse::<http::Uri>().ok().map(http::Uri::into_parts);
    parts.is_some_and(|parts| {
        parts.scheme.is_some_and(|scheme| [http::uri::Scheme::HTTP, http::uri::Scheme::HTTPS].contains(&scheme))
            && parts.authority.is_some_and(|authority| authority.port().is_some())
    })
}
