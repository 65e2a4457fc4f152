//! Changes of the membership, one at a time: from the members as the log has
//! them and what is reachable now to the steps that are left, or why not.
//!
//! ```text
//! add      AddLearner ─ CatchUp
//! promote  CatchUp ─ ChangeVoters(old → old + id) ─ FinishJoint
//! remove   HandOver? ─ ChangeVoters(old → old − id) ─ FinishJoint ─ DropLearner ─ Retire
//! replace  AddLearner ─ CatchUp ─ HandOver? ─ ChangeVoters(old → old − out + in) ─ FinishJoint ─ DropLearner ─ Retire
//! ```
//!
//! The plan is a function of the present: after each step, and after any crash,
//! [`plan`] over the new roll gives the steps that are left, until none are. So
//! nothing is kept beside the log, and whoever leads carries on.
//!
//! Rules: a leader never removes itself (openraft#2091: it may crash before
//! the configuration without it is committed and leave nobody to stand), it
//! hands over first; numbers are never used again; both the present and the
//! coming voters need a reachable majority, else the change could not be
//! finished and would block every other; an even number of voters is advised
//! against, not refused, as every replacement of two passes through it.

mod advice;
mod change;
mod plan;
mod refusal;
mod roll;
mod stage;

pub use advice::Advice;
pub use change::Change;
pub use plan::{Plan, plan, unfinished};
pub use refusal::MemberRefusal;
pub use roll::{Reach, Roll};
pub use stage::Stage;
