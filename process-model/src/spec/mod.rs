//! What a user defines: a process.
//!
//! The numbers that a user may leave out are [`limits`]' defaults; ranges are
//! checked when a spec is built (from a document or from the wire), so every
//! `ProcessSpec` in the system is valid.

mod check;
mod command;
mod delay;
mod dependency;
mod execution;
mod fault;
mod fingerprint;
mod hook;
pub mod limits;
mod log_policy;
mod log_rule;
pub mod pattern;
mod probe;
mod process;
mod resources;
mod restart;
mod runtime_type;
mod schedule;
mod signal;
mod socket;
mod stop;
mod watchdog;

pub use command::Command;
pub use dependency::{Condition, Dependency};
pub use execution::{Execution, IoClass, IoPriority, Resource, Rlimit};
pub use fault::Fault;
pub use hook::{Hook, HookKind, Hooks};
pub use log_policy::{Compression, LogFormat, LogPolicy, WhenFull};
pub use log_rule::{LogAction, LogRule};
pub use probe::{Check, HttpCheck, Probe};
pub use process::ProcessSpec;
pub use resources::{LimitMode, ResourceLimits};
pub use restart::{Backoff, ExitCodes, RestartLimit, RestartMode, RestartPolicy};
pub use runtime_type::RuntimeType;
pub use schedule::{CatchUp, Overlap, Schedule};
pub use signal::Signal;
pub use socket::{Listen, Socket};
pub use stop::{Scope, StopPolicy, StopStep};
pub use watchdog::LogWatchdog;
