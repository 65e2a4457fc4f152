//! What a user defines: a process.
//!
//! The numbers that a user may leave out are [`limits`]' defaults; ranges are
//! checked when a spec is built (from a document or from the wire), so every
//! `ProcessSpec` in the system is valid.

mod command;
mod fault;
pub mod limits;
mod probe;
mod process;
mod restart;
mod runtime_type;
mod signal;
mod stop;
mod watchdog;

pub use command::Command;
pub use fault::Fault;
pub use probe::{Check, Probe};
pub use process::ProcessSpec;
pub use restart::{Backoff, RestartMode, RestartPolicy};
pub use runtime_type::RuntimeType;
pub use signal::Signal;
pub use stop::StopPolicy;
pub use watchdog::LogWatchdog;
