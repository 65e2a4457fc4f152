//! What a gateway is built from.

use service_host::identity::Identity;
use service_host::secret::Secret;
use service_host::transport::Dial;

/// Where the services are, and the tokens.
#[derive(Debug, Clone)]
pub struct Options {
    /// The registry.
    pub registry: Dial,
    /// The monitor.
    pub monitor: Dial,
    /// Who the gateway is: then its port and what is behind it speak TLS alone.
    pub identity: Option<Identity>,
    /// What the gateway shows to the services behind it on plain text.
    pub service_token: Secret,
    /// What a client shows to be allowed everything.
    pub admin_token: Secret,
    /// What a client shows to be allowed to look; `None`: nobody is only a
    /// viewer.
    pub viewer_token: Option<Secret>,
}
