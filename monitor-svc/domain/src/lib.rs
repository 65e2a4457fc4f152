//! What the monitor decides: no socket, no clock, no thread.
//!
//! ```text
//! samples ───▶ history ────┐
//! inventories ▶ inventory ─┼──▶ exposition ──▶ metric families
//!                  │       └──▶ answers: latest, since
//!                  ▼
//! readers ────▶ tails ──▶ what to ask of which runner, what to hand to which reader
//! ```
//!
//! | module | decides |
//! |---|---|
//! | [`history`] | what is remembered of the last hour, in bounded memory |
//! | [`inventory`] | which connected node has which instance, and which run |
//! | [`latest`] | which newest samples are still true |
//! | [`tails`] | relays of logs: request ids, credit, cancels, ends |
//! | [`exposition`] | which metrics are shown, and how they are written |
//!
//! Time comes in as a [`std::time::Duration`] since the monitor began: by a
//! monotonic clock, so that nobody's wall clock decides what is forgotten.

pub mod exposition;
pub mod history;
pub mod inventory;
pub mod latest;
pub mod tails;

/// One session of one node's runner. A later session has a larger number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);
