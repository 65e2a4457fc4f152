//! Log-activity watchdog (S2.1).

use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Restarts an instance whose log file shows no activity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogWatchdog {
    /// Absolute path of the watched file; it and its folders are made when
    /// missing (S2.5). `None`: the instance's own captured output.
    pub log_file: Option<String>,
    /// Silence that leads to a restart.
    pub timeout: Duration,
    /// Time between looks.
    pub interval: Duration,
}

impl LogWatchdog {
    /// A watchdog with the default times (S2.2).
    #[must_use]
    pub fn new(log_file: Option<String>) -> Self {
        Self { log_file, timeout: default::WATCHDOG_TIMEOUT, interval: default::WATCHDOG_INTERVAL }
    }
}
