//! The registry: stores, replicates, elects, places. It never touches an OS
//! process.
//!
//! ```text
//! api/ ─command─▶ driver ─batch─▶ registry-consensus ─▶ registry-log (fsync) ─┐
//!   ▲               └ of a follower: to the leader  ⇄ peers                   │ committed
//!   └── view (state, revisions, orders) ◀── machine ◀── registry_domain::step ┘
//!                                             └ behind it: io/state_store (sled), io/snapshot
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Registry`] | opens, serves, closes |
//! | [`Options`] | what it needs to know |
//! | [`home`] | the data directory: whose it is, what is refused |
//! | [`office`] | what needs neither files nor sockets: takes commands in, keeps leases, receives runners |
//! | `cluster` | founding, whom to let in, where the others are |
//! | [`peers`] | the links between replicas |
//! | [`backup`] | the state as one file |
//! | `levels` | which commands every replica knows |
//! | `driver` | commands in, group commit, forwarding, replies out |
//! | `heartbeats` | which nodes are heard from, and what follows when one is not |
//! | `line_desk` | lines of output that are waited for on another node |
//! | [`machine`] | the replicated state: in memory, rows written behind, snapshots |
//! | `view` | what everybody reads |
//! | `io/` | rows and snapshot files |
//! | `api/` | one gRPC service a file |
//! | [`recovery`] | offline: a new cluster of one, when a majority is lost |
//! | [`access`], `refusals` | who may call what, and who tried in vain |
//! | `identity` | certificates of nodes |
//! | `numbers`, `standing_numbers` | metrics |
//!
//! What is decided stands in `registry_domain` and `registry_quorum`.

pub mod access;
mod api;
pub mod backup;
pub mod clock;
mod cluster;
mod codec;
mod core;
pub mod door;
mod driver;
mod heartbeats;
pub mod home;
mod identity;
pub mod io;
mod keep;
mod levels;
mod line_desk;
pub mod machine;
mod numbers;
pub mod office;
mod open;
mod options;
pub mod peers;
pub mod recovery;
mod refusals;
mod registry;
mod sessions;
mod standing_numbers;
mod timekeeper;
pub mod view;

pub use open::OpenError;
pub use options::{Options, is_address};
pub use registry::Registry;
pub use registry_domain::Retention;
pub use registry_quorum::founding::Entry;

/// Sizes of the log.
fn log_settings() -> registry_log::Settings {
    registry_log::Settings::default()
}
