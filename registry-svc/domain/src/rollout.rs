//! How the instances of a process come to a new spec, or are restarted: some
//! at a time, each batch once the one before serves, and back again when the
//! new one does not hold.
//!
//! Enters: a change of a spec that instances notice (from `apply`), orders of
//! users, and everything that says more about an instance (reports, nodes that
//! come and go, time). Leaves: instances with another generation or another
//! restart count, instances beyond the number and their end, events.
//!
//! ```text
//! change ─▶ progressing ──all serve──▶ succeeded (reverted)
//!              │  ▲ │ └─canaries serve─▶ awaiting promotion ─promote─▶ progressing
//!              │  │ └─pause─▶ paused ─resume─▶ progressing
//!              │  └ report, node, tick: one look, and what may be done is done
//!              └─deadline, or an instance is given up─▶ failed ─auto_revert─▶ progressing to the spec before
//! ```
//!
//! | file | what |
//! |---|---|
//! | `record` | what a process keeps of its rollout |
//! | `handover` | what an instance keeps of its turn |
//! | `picture` | the state as the decision sees it |
//! | `bounds` | the policy as numbers |
//! | `moves`, `verdict` | the decision, pure: what may be done now; where the rollout is after that |
//! | `advance`, `begin`, `revert`, `orders`, `scale` | carrying it out |
//! | `specs` | which spec an instance has |
//! | `preview` | what a change would do, without doing it |

mod advance;
mod begin;
mod bounds;
mod handover;
mod moves;
mod orders;
mod picture;
mod preview;
mod record;
mod revert;
mod scale;
mod specs;
mod verdict;

pub(crate) use advance::{advance, advance_of};
pub(crate) use begin::begin;
pub use handover::Handover;
pub(crate) use handover::is_fresh;
pub(crate) use orders::{pause, promote, restart, resume};
pub use preview::{InstancePlan, Step, preview};
pub use record::{Rollout, Stage};
pub(crate) use scale::scale;
pub(crate) use specs::for_new;
