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
    /// However the program ended, unless it was stopped on request. What was
    /// stopped on request stays stopped under every policy here, so this is
    /// `always` under the name that other managers gave it.
    UnlessStopped,
}

impl RestartMode {
    /// Every mode.
    pub const ALL: [Self; 4] = [Self::Always, Self::OnFailure, Self::Never, Self::UnlessStopped];

    /// The word for it in documents and tables.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::OnFailure => "on-failure",
            Self::Never => "never",
            Self::UnlessStopped => "unless-stopped",
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
    /// More restarts than this within its window are given up on: `failed`.
    #[serde(default)]
    pub limit: Option<RestartLimit>,
    /// What the exit code says, where it is not that 0 alone is success.
    #[serde(default)]
    pub codes: ExitCodes,
    /// Resident memory of the whole tree, in bytes, above which the instance is
    /// stopped gracefully and started again.
    #[serde(default)]
    pub max_memory: Option<u64>,
    /// Longest time of one run: then it is stopped gracefully and started again.
    #[serde(default)]
    pub max_runtime: Option<Duration>,
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            mode: RestartMode::Always,
            backoff: Backoff::default(),
            max_restarts: default::MAX_RESTARTS,
            reset_after: default::RESET_AFTER,
            limit: None,
            codes: ExitCodes::default(),
            max_memory: None,
            max_runtime: None,
        }
    }
}

/// So many restarts within so long are too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestartLimit {
    /// Restarts that are still allowed, at least 1.
    pub restarts: u32,
    /// The window that they are counted in.
    pub within: Duration,
}

/// What exit codes mean, beyond 0 for success. The three lists are disjoint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitCodes {
    /// Codes that are success, beside 0.
    #[serde(default)]
    pub success: Vec<u8>,
    /// Codes after which it is never restarted, whatever the policy says.
    #[serde(default)]
    pub never_restart: Vec<u8>,
    /// Codes after which it is always restarted, whatever the policy says.
    #[serde(default)]
    pub always_restart: Vec<u8>,
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
