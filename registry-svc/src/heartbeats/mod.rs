//! Which nodes are heard from, and what follows when one is not. In the memory
//! of whoever leads, by the monotonic clock; only what it comes to is written
//! down.
//!
//! ```text
//! heartbeat ─▶ leases ── half a lease, a whole one ─▶ keeper ─▶ NodeSuspect, NodeLost
//!    │            ▲ pace: how often, how long                      │
//!    └▶ assurance │                                silences ── replace_after, a singleton's bound ─▶ NodeSilent
//!         └─▶ ack │ admission: how many runners a second
//! ```

mod admission;
mod assurance;
mod keeper;
mod leases;
mod pace;
mod silences;

pub(crate) use admission::Admission;
pub(crate) use assurance::Assurance;
pub(crate) use keeper::{LeaseBook, LeaseKeeper, now};
pub(crate) use pace::{Pace, Pacing};
