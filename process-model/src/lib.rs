//! The words that every part agrees on, as checked types: what cannot be
//! valid cannot be built.
//!
//! ```text
//! document (YAML/JSON text) ──read──▶ ProcessSpec ──registry──▶ Assignment ──runner──▶ InstanceReport ──▶ Event
//! ```
//!
//! Pure: no clock, no randomness, no files, no sockets. Wire types live in
//! `pm-proto`, which converts from and to these.

mod action;
mod assignment;
pub mod audit;
pub mod change;
pub mod document;
mod elsewhere;
mod event;
mod exit;
pub mod label;
mod name;
mod parsed;
mod phase;
mod report;
mod rollout;
mod run;
mod sample;
mod selector;
pub mod spec;
mod timestamp;
mod unit_name;
mod words;

pub use action::{Action, ActionState, ActionTarget, ActionVerb};
pub use assignment::Assignment;
pub use audit::AuditEntry;
pub use elsewhere::{Elsewhere, Unmet};
pub use event::{Event, EventDetail, InstanceDetail, event_type};
pub use exit::ExitStatus;
pub use name::{InstanceId, InvalidInstanceId, InvalidName, NodeName, ProcessName};
pub use phase::Phase;
pub use report::{ActionReport, InstanceReport};
pub use rollout::{RolloutCause, RolloutDetail, RolloutState};
pub use run::{Plan, Run, RunOutcome, RunReport, RunTrigger};
pub use sample::{InstanceSample, NodeSample};
pub use selector::Selector;
pub use spec::ProcessSpec;
pub use timestamp::Timestamp;
pub use unit_name::check_unit_name;
