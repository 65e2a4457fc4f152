//! The registry: stores, replicates, elects, places. It never touches an OS
//! process.
//!
//! ```text
//! api/ ──command──▶ driver ──one batch──▶ openraft ──▶ io/log (redb, fsync) ─┐
//!   ▲                                        │          io/network ⇄ peers   │ committed
//!   └──────── view (state, revisions) ◀── io/state_machine ◀─────────────────┘
//!                                            ├ registry_domain::step
//!                                            └ io/state_store (sled), io/snapshots
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Registry`] | opens, serves, closes |
//! | [`Options`] | what it needs to know |
//! | `driver` | commands in, group commit, replies out |
//! | `leases` | which nodes are heard from; in the leader's memory only |
//! | `view` | what everybody reads |
//! | `io/` | disk and peers |
//! | `api/` | one gRPC service a file |
//! | `numbers` | metrics |
//!
//! What is decided stands in `registry_domain`.

mod api;
mod clock;
mod codec;
mod core;
mod driver;
pub mod io;
mod lease_keeper;
mod leases;
mod numbers;
mod open;
mod options;
mod registry;
mod sessions;
pub mod view;

pub use open::OpenError;
pub use options::Options;
pub use registry::Registry;
pub use registry_domain::Retention;
