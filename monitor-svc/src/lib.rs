//! The monitor: samples → history and metrics, and logs from runners to readers.
//! It only observes; nothing here changes a process.
//!
//! ```text
//!  runner ══ RunIntake ══▶ api::intake ─┐                    ┌─ api::samples ──▶ latest, since, metrics text
//!   (it dials; one session  ◀═ tail     │                    │
//!    per node)                requests  ▼                    │
//!                                     driver ── core ────────┤
//!                                  (one lock; decides with   │
//!                                   `monitor-domain`)        └─ api::logs ═════▶ ReadLogs
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`Monitor`] | the service as others embed it |
//! | `driver` | the one seam: an input → decide → do → answer |
//! | `api` | the edge: wire types in and out, one file per service |
//! | `metrics` | what a scrape gets |
//!
//! What is remembered, who is where and who may send how much is decided in
//! the package `monitor-domain`, which has no socket and no clock.

mod access;
mod api;
mod driver;
mod metrics;
mod monitor;

pub use monitor::{Monitor, Options};
