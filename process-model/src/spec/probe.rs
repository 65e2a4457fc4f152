//! How an instance is known to be ready, or alive.

use super::Command;
use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Asks an instance whether it is ready, or alive.
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
    /// Failures in a row that make a ready instance unready, or one that lives
    /// dead.
    pub failure_threshold: u32,
    /// Successes in a row that make an instance ready.
    #[serde(default = "one")]
    pub success_threshold: u32,
}

fn one() -> u32 {
    1
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
            success_threshold: 1,
        }
    }
}

/// What a probe asks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// An HTTP request to 127.0.0.1.
    Http(HttpCheck),
    /// A TCP connection to 127.0.0.1.
    Tcp {
        /// Port.
        port: u16,
    },
    /// A command with the program's identity, environment and working
    /// directory; exit code 0 is success.
    Exec {
        /// What runs.
        command: Command,
    },
    /// `grpc.health.v1.Health/Check` on 127.0.0.1, without TLS; `SERVING` is
    /// success.
    Grpc {
        /// Port.
        port: u16,
        /// Name of the service that is asked about; empty: the server.
        service: String,
    },
    /// `READY=1` on `NOTIFY_SOCKET` (sd_notify(3)). For readiness only; the
    /// times have no meaning.
    Notify,
    /// A line of the output of this run. For readiness only; the times have no
    /// meaning.
    Log {
        /// Regular expression, found anywhere in a line.
        pattern: String,
    },
}

/// An HTTP request and what its answer has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpCheck {
    /// Port.
    pub port: u16,
    /// Absolute path.
    pub path: String,
    /// Method; `None`: GET.
    #[serde(default)]
    pub method: Option<String>,
    /// Headers, over our own.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    /// Status codes that are success, from and to; empty: 200 to 399.
    #[serde(default)]
    pub status: Vec<(u16, u16)>,
    /// Regular expression, found anywhere in the first 64 KiB of the body.
    #[serde(default)]
    pub body: Option<String>,
}

impl HttpCheck {
    /// A GET of `path`; 200 to 399 is success.
    #[must_use]
    pub fn get(port: u16, path: impl Into<String>) -> Self {
        Self { port, path: path.into(), method: None, headers: Vec::new(), status: Vec::new(), body: None }
    }

    /// Whether a status is success.
    #[must_use]
    pub fn accepts(&self, status: u16) -> bool {
        if self.status.is_empty() {
            return (200..=399).contains(&status);
        }
        self.status.iter().any(|(from, to)| (*from..=*to).contains(&status))
    }
}
