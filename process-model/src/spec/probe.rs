//! How an instance is known to be ready.

use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Asks an instance whether it is ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probe {
    /// What is asked.
    pub check: Check,
    /// Wait before the first probe.
    pub initial_delay: Duration,
    /// Time from one probe to the next.
    pub interval: Duration,
    /// Longest wait for an answer.
    pub timeout: Duration,
    /// Failures in a row that make a ready instance unready.
    pub failure_threshold: u32,
}

impl Probe {
    /// A probe with the default times.
    #[must_use]
    pub fn new(check: Check) -> Self {
        Self {
            check,
            initial_delay: Duration::ZERO,
            interval: default::PROBE_INTERVAL,
            timeout: default::PROBE_TIMEOUT,
            failure_threshold: default::PROBE_FAILURES,
        }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// An HTTP GET on 127.0.0.1; 200 to 399 is success.
    Http {
        /// Port.
        port: u16,
        /// Absolute path.
        path: String,
    },
    /// A TCP connection to 127.0.0.1.
    Tcp {
        /// Port.
        port: u16,
    },
}
