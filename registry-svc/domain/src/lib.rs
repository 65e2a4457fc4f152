//! What the registry decides, and nothing else: `State × Command → State + Events`, pure. Every replica runs the same
//! commands through [`step`] and comes to the same state; the service around it replicates, stores and serves.
//!
//! ```text
//!            ┌─ dedupe ── answered before? ─▶ first reply
//! Command ──▶│
//!            └─ apply · delete · switch · nodes · reports · actions … ─▶ Outcome { reply, events, touched, orders }
//!                          └──────── placement ────────┘
//! ```
//!
//! | module | what |
//! |---|---|
//! | [`step()`] | the one entrance |
//! | `apply`, `delete`, `switch`, `order_once` | specs become processes and instances, and go; what is wanted of them, and what is once |
//! | `nodes`, `reports`, `runs`, `actions`, `tick` | nodes come and fall silent; what runners saw; runs; whose time has come |
//! | [`placement`], `daemons`, `moving`, [`drains`] | which instance goes where; one on each node; who has to leave; a node is emptied |
//! | `dependencies` | what a node has to know of others: how what it depends on stands there, whose stop comes first |
//! | `restore`, `level`, [`invitations`] | a backup takes the place of the state; what every replica knows; nodes that may join |
//! | `history`, `rollout`, `rollback`, [`retention`] | every spec of a process; the way there, and back; how long it is kept |
//! | `audit`, `refused`, `dedupe` | who asked for what, in vain too; answers to repeated requests |
//! | [`row`], `index`, `selection`, [`Series`] | the state as rows, so that storage writes only what changed; what is found quickly; records by number |
//! | [`members`], [`digest`], [`invariants`] | the registry's own replicas; what equal states have in common, as 32 bytes; what holds in every state |

mod action_log;
mod actions;
mod apply;
mod audit;
mod command;
mod configure;
mod daemons;
mod decided;
mod dedupe;
mod delete;
mod dependencies;
pub mod digest;
mod draft;
pub mod drains;
mod history;
mod index;
mod instance;
pub mod invariants;
pub mod invitations;
mod level;
pub mod limits;
pub mod members;
mod moving;
mod node;
mod nodes;
mod order_once;
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
mod rollout;
pub mod row;
mod runs;
mod selection;
mod series;
mod state;
mod step;
mod switch;
mod tick;

pub use history::{Generation, History, Lineage};
pub use nodes::{Brake, Left, replacement};
pub use reply::{Applied, ApplyOutcome, Outcome, Reply};
pub use rollout::{Handover, InstancePlan, Rollout, Stage, Step, preview};
pub use row::{Meta, Row, RowKey};
pub use series::Series;
pub use state::{Frozen, Roster, State, Usage};
pub use {action_log::action_id, action_log::action_number, apply::check as check_apply, dependencies::StopsAfter};
pub use {command::*, instance::*, node::*, refusal::*, restore::*};
pub use {dedupe::StoredReply, process::Process, process_model::AuditEntry, refused::Repeated, runs::Runs};
pub use {retention::Retention, selection::Selection, step::step};
