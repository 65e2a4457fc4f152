//! Sockets that are open before the program is, and stay open between runs.

use serde::{Deserialize, Serialize};
use std::net::SocketAddr;

/// A listening socket that the keeper holds and passes to each run
/// (sd_listen_fds(3): `LISTEN_FDS`, `LISTEN_PID`, `LISTEN_FDNAMES`). Between two
/// runs, connections wait in its queue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Socket {
    /// Name in `LISTEN_FDNAMES`: no colon, no control characters.
    pub name: String,
    /// Where it listens.
    pub listen: Listen,
    /// Connections that may wait (listen(2)).
    pub backlog: u32,
}

/// Where a socket listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listen {
    /// TCP.
    Tcp(SocketAddr),
    /// UDP: no queue of connections, but of datagrams.
    Udp(SocketAddr),
    /// A Unix stream socket.
    Unix {
        /// Absolute path, at most 107 bytes (unix(7)).
        path: String,
        /// Permission bits, 0 to 0o777.
        mode: u32,
    },
}
