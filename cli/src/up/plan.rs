//! What `pmctl up` was asked for.

use process_model::ProcessSpec;
use std::net::SocketAddr;
use std::time::Duration;

/// What `pmctl up` was asked for.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The processes; `None`: what is stored.
    pub processes: Option<Vec<ProcessSpec>>,
    /// Where the gateway listens.
    pub listen: SocketAddr,
    /// How long to wait until everything is ready; `None`: not at all.
    pub wait: Option<Duration>,
}
