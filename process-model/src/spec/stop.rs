//! How an instance is stopped.

use super::limits::default;
use super::{Hook, Signal};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `signal`, wait `timeout`, SIGKILL to the whole tree, wait `kill_timeout`
/// (S2.6). With `steps`, these come in the place of `signal` and `timeout`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopPolicy {
    /// What asks the program to end.
    pub signal: Signal,
    /// Wait after it.
    pub timeout: Duration,
    /// Wait after SIGKILL before the stop counts as failed.
    pub kill_timeout: Duration,
    /// What is tried in order, each until its time is over; the end of the tree
    /// ends them all. SIGKILL to the tree comes after the last in any case.
    #[serde(default)]
    pub steps: Vec<StopStep>,
}

/// One step of a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopStep {
    /// Sends a signal and waits.
    Signal {
        /// The signal.
        signal: Signal,
        /// Who gets it.
        to: Scope,
        /// Wait after it.
        wait: Duration,
    },
    /// Runs a command, to its end or its time-out.
    Hook(Hook),
    /// Only waits, as for connections to drain.
    Wait(Duration),
}

impl StopPolicy {
    /// The longest time from the first step until nothing is left.
    #[must_use]
    pub fn bound(&self) -> Duration {
        let steps = match self.steps.as_slice() {
            [] => self.timeout,
            steps => steps.iter().map(StopStep::longest).sum(),
        };
        steps + self.kill_timeout
    }
}

impl StopStep {
    fn longest(&self) -> Duration {
        match self {
            Self::Signal { wait, .. } | Self::Wait(wait) => *wait,
            Self::Hook(hook) => hook.timeout,
        }
    }
}

/// Who gets a signal.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Every process of the tree.
    #[default]
    Tree,
    /// The main process alone.
    Main,
}

impl Default for StopPolicy {
    fn default() -> Self {
        Self {
            signal: Signal::TERM,
            timeout: default::STOP_TIMEOUT,
            kill_timeout: default::KILL_TIMEOUT,
            steps: Vec::new(),
        }
    }
}
