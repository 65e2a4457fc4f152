//! How a replica begins: from its own directory and the introductions of its
//! peers to one of five decisions. Only a full set of fresh replicas founds a
//! cluster; everything doubtful waits or is refused with the way back in.
//!
//! ```text
//! all N fresh ─ lowest address ─▶ Found(plan): write it, show it
//!             └ the others ─────▶ Wait … sees the plan ─▶ Adopt(plan): write it, show it
//! all N have written the plan ── lowest address ─▶ Initialise(plan)
//!             └ the others, and everybody once a member is founded ─▶ Start(plan)
//! a founded cluster, and --join, =auto ─▶ Join
//! ```
//!
//! The plan is written durably before anything follows from it, so each step
//! may be cut off and is decided again from what the directories then say.
//! Deciding twice over the same introductions says the same.

mod decision;
mod entry;
mod introduction;
mod plan;
mod refusal;

pub use decision::{Decision, decide};
pub use entry::Entry;
pub use introduction::{Condition, Introduction};
pub use plan::{Founder, FoundingPlan};
pub use refusal::FoundingRefusal;
