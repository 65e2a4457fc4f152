//! The replicated state: fast in memory, rows written behind, snapshots as
//! files.
//!
//! ```text
//! committed entries ─▶ payload ─▶ registry_domain::step ─▶ View (state, feed of events, orders)
//!                                        │ rows touched
//!                                        ▼
//!                 Dirty ── in its time, by a thread ──▶ io/state_store (sled)
//! snapshots: freeze (a few ms) ─▶ io/snapshot (files)      opening: the newer of both, the log does the rest
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`MemoryMachine`] | implements [`registry_consensus::Machine`] |
//! | [`payload`] | a batch of commands as bytes |
//! | [`Volatile`], `apply` | entries → state, without a disk |
//! | `aside` | a thread for what may take longer |
//! | `dirty`, `keys`, `store` | what has yet to be written; the thread that writes it |
//! | `opening` | rows or snapshot, whichever is newer and sound |
//! | `signals` | which node has to be told |
//! | [`feed`] | the newest events, and which watcher has to be told |
//! | `numbers` | metrics |

mod apply;
mod aside;
mod dirty;
pub mod feed;
mod keys;
mod memory_machine;
mod numbers;
mod opening;
mod pace;
pub mod payload;
mod signals;
mod store;
mod volatile;

pub use memory_machine::MemoryMachine;
pub use numbers::MachineNumbers;
pub use opening::{MachineOpenError, Places};
pub use pace::Pace;
pub use signals::OrderSignal;
pub use volatile::Volatile;

pub(crate) use signals::OrderSignals;
