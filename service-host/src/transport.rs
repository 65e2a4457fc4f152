//! Connections between services: TCP across machines, encrypted where there are certificates, in-memory pipes within a process, one face for both.
//!
//! Enters: an address, several of them, or one end of [`memory`]. Leaves: a [`Dial`] for the client, an [`Incoming`] for
//! the server. A service is written once and does not know which of these it runs on.

mod accept;
mod any_channel;
mod cluster;
mod dial;
mod endpoints;
mod memory;
mod severable;
mod wire;

pub(crate) use accept::{accept_tcp, connections};
pub use any_channel::{AnyChannel, CallError};
pub use cluster::{CallKind, ClusterChannel, NobodyAnswers, REQUEST_ID_KEY, roll};
pub use dial::{Dial, Incoming, TransportError};
pub use endpoints::{Endpoints, EndpointsError, MAX_ENDPOINTS};
pub use memory::{MemoryConnector, MemoryIncoming, memory};
pub(crate) use severable::Severable;
pub use wire::Wire;

use std::time::Duration;

/// An idle connection is asked for a sign of life this often, so that a peer whose machine vanished is noticed
/// without a call being made.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// No answer within this time and the connection is dead: with the interval above, 14 s after the last sign of life.
pub(crate) const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(4);

/// Credit of one stream, in bytes. 256 KiB fills a 1 Gbit/s line up to 2 ms of round trip, a 50 ms line to 5 MiB/s.
pub(crate) const STREAM_WINDOW: u32 = 256 * 1024;

/// Credit of one connection, in bytes. The connection's credit is shared by all its streams and comes back only
/// when they are read: were it small, a few watchers who do not read would stop every other call on the
/// connection. 64 MiB are 256 such watchers. It is a permission, not an allocation.
pub(crate) const CONNECTION_WINDOW: u32 = 64 * 1024 * 1024;
