//! The public phases of an instance.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where an instance is in its life, as everybody sees it. The runner's own
/// states are finer; one match in the runner maps them to these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Not yet taken up by a node.
    Pending,
    /// Being started.
    Starting,
    /// Running; whether it is ready is told apart.
    Running,
    /// Ended; waiting for its next start.
    Backoff,
    /// Being stopped.
    Stopping,
    /// Stopped on request.
    Stopped,
    /// Ended by itself with success, and not to be restarted.
    Exited,
    /// Given up, or impossible to start or stop.
    Failed,
    /// Its node is silent.
    Lost,
}

impl Phase {
    /// Every phase, in the order of a life.
    pub const ALL: [Self; 9] = [
        Self::Pending,
        Self::Starting,
        Self::Running,
        Self::Backoff,
        Self::Stopping,
        Self::Stopped,
        Self::Exited,
        Self::Failed,
        Self::Lost,
    ];

    /// The word for it in tables, metrics and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Backoff => "backoff",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Exited => "exited",
            Self::Failed => "failed",
            Self::Lost => "lost",
        }
    }

    /// Whether nothing of the instance runs and nothing is going to happen by
    /// itself.
    #[must_use]
    pub fn is_at_rest(self) -> bool {
        match self {
            Self::Stopped | Self::Exited | Self::Failed => true,
            Self::Pending | Self::Starting | Self::Running | Self::Backoff | Self::Stopping | Self::Lost => false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
