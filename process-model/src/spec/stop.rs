//! How an instance is stopped.

use super::Signal;
use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `signal`, wait `timeout`, SIGKILL to the whole tree, wait `kill_timeout`
/// (S2.6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopPolicy {
    /// What asks the program to end.
    pub signal: Signal,
    /// Wait after it.
    pub timeout: Duration,
    /// Wait after SIGKILL before the stop counts as failed.
    pub kill_timeout: Duration,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self { signal: Signal::TERM, timeout: default::STOP_TIMEOUT, kill_timeout: default::KILL_TIMEOUT }
    }
}
