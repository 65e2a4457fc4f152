//! What a user defines: a process.
//!
//! The numbers that a user may leave out are [`limits`]' defaults; ranges are
//! checked when a spec is built (from a document or from the wire), so every
//! `ProcessSpec` in the system is valid.

mod check;
mod command;
mod constraint;
mod delay;
mod dependency;
mod execution;
mod fault;
mod fingerprint;
mod hook;
pub mod limits;
mod log_policy;
mod log_rule;
mod needs;
pub mod pattern;
mod placement;
mod probe;
mod process;
mod resources;
mod restart;
mod runtime_type;
mod schedule;
mod signal;
mod singleton;
mod socket;
mod standing;
mod stop;
mod update;
mod watchdog;
mod written;

pub use command::Command;
pub use constraint::{Constraint, InvalidConstraint, Matcher, NODE_ATTRIBUTES, Operator};
pub use dependency::{Condition, Dependency};
pub use execution::{Execution, IoClass, IoPriority, Resource, Rlimit};
pub use fault::Fault;
pub use hook::{Hook, HookKind, Hooks};
pub use log_policy::{Compression, LogFormat, LogPolicy, WhenFull};
pub use log_rule::{LogAction, LogRule};
pub use needs::Needs;
pub use placement::{Placement, PlacementStrategy, Reservation};
pub use probe::{Check, HttpCheck, Probe};
pub use process::ProcessSpec;
pub use resources::{LimitMode, ResourceLimits};
pub use restart::{Backoff, ExitCodes, RestartLimit, RestartMode, RestartPolicy};
pub use runtime_type::RuntimeType;
pub use schedule::{CatchUp, Overlap, Schedule};
pub use signal::Signal;
pub use singleton::Singleton;
pub use socket::{Listen, Socket};
pub use standing::Standing;
pub use stop::{Scope, StopPolicy, StopStep};
pub use update::{Share, UpdatePolicy};
pub use watchdog::LogWatchdog;
