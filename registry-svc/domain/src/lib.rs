//! What the registry decides, and nothing else: `State × Command → State +
//! Events`, pure. Every replica runs the same commands through [`step`] and
//! comes to the same state; the service around it (`registry-svc`) replicates,
//! stores and serves.
//!
//! ```text
//!            ┌─ dedupe ── answered before? ─▶ first reply
//! Command ──▶│
//!            └─ apply · delete · switch · nodes · reports · actions ─▶ Outcome { reply, events, touched, orders }
//!                          └──────── placement ────────┘
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`step()`] | the one entrance |
//! | `apply`, `delete`, `switch` | specs become processes and instances, and go; what is wanted of them |
//! | `nodes`, `reports`, `actions`, [`placement`] | nodes come and fall silent; what runners saw; which instance goes where |
//! | `selection`, `suggestion` | what a selector means, and what was meant instead |
//! | `restore`, `level` | a backup takes the place of the state, which looks on then; what every replica knows |
//! | `history`, `rollback`, [`retention`] | every spec that a process has had; the way back; how long it is kept |
//! | `audit`, `refused`, `dedupe` | who asked for what, in vain too; answers to repeated requests |
//! | [`members`] | the registry's own replicas: their numbers, who they are |
//! | [`row`], `index` | the state as rows, so that storage writes only what changed; what is found quickly |
//! | [`digest`], [`invariants`] | what equal states have in common, as 32 bytes; what holds in every state |

mod action_log;
mod actions;
mod apply;
mod audit;
mod command;
mod configure;
mod decided;
mod dedupe;
mod delete;
pub mod digest;
mod draft;
mod history;
mod index;
mod instance;
pub mod invariants;
mod level;
pub mod limits;
pub mod members;
mod node;
mod nodes;
pub mod placement;
mod process;
mod refusal;
mod refused;
mod reply;
mod reports;
mod restore;
pub mod retention;
mod retire;
mod rollback;
pub mod row;
mod selection;
mod state;
mod step;
mod suggestion;
mod switch;

pub use action_log::{action_id, action_number};
pub use apply::check as check_apply;
pub use command::{Apply, Command, Configure, Denial, Header, NodeHello, Order, Report, Rollback, Switch};
pub use dedupe::StoredReply;
pub use history::{Generation, History, Lineage};
pub use instance::{Instance, Seen};
pub use node::{Node, NodeState};
pub use process::Process;
pub use process_model::AuditEntry;
pub use refusal::{Miss, Refusal};
pub use refused::Repeated;
pub use reply::{Applied, ApplyOutcome, Outcome, Reply};
pub use restore::*;
pub use retention::Retention;
pub use row::{Meta, Row, RowKey};
pub use selection::Selection;
pub use state::{Frozen, Roster, State};
pub use step::step;
