//! When and how soon an ended instance is started again.

use super::limits::default;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The condition of a restart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RestartMode {
    /// However the program ended.
    Always,
    /// Unless it ended with exit code 0.
    OnFailure,
    /// Never.
    Never,
}

impl RestartMode {
    /// Every mode.
    pub const ALL: [Self; 3] = [Self::Always, Self::OnFailure, Self::Never];

    /// The word for it in documents and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OnFailure => "on-failure",
            Self::Never => "never",
        }
    }
}

/// When and how soon an ended instance is started again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RestartPolicy {
    /// The condition.
    pub mode: RestartMode,
    /// The delays.
    pub backoff: Backoff,
    /// Restarts in a row before the instance is `failed`; 0: no limit.
    pub max_restarts: u32,
    /// Running this long resets delay and count.
    pub reset_after: Duration,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            mode: RestartMode::Always,
            backoff: Backoff::default(),
            max_restarts: default::MAX_RESTARTS,
            reset_after: default::RESET_AFTER,
        }
    }
}

/// A geometric series of delays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Backoff {
    /// First delay; zero restarts at once.
    pub initial: Duration,
    /// Multiplier, at least 1.
    pub factor: f64,
    /// Longest delay; at least `initial`.
    pub max: Duration,
    /// Random share, 0 to 1.
    pub jitter: f64,
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            initial: default::BACKOFF_INITIAL,
            factor: default::BACKOFF_FACTOR,
            max: default::BACKOFF_MAX,
            jitter: default::BACKOFF_JITTER,
        }
    }
}
