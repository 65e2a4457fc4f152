//! How far a rollout is: instances that come to a new spec, or are restarted,
//! some at a time.

use serde::{Deserialize, Serialize};
use std::fmt;

/// Where a rollout is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// Instances are changed, batch by batch.
    Progressing,
    /// The canaries serve; the others wait for somebody to promote it.
    AwaitingPromotion,
    /// Somebody holds it.
    Paused,
    /// All instances have come to it and serve.
    Succeeded,
    /// It was given up; instances stay as they are.
    Failed,
    /// Instances go back to the spec before the one that failed.
    Reverting,
    /// They are back.
    Reverted,
    /// A later change took its place.
    Superseded,
}

impl RolloutState {
    /// Every state.
    pub const ALL: [Self; 8] = [
        Self::Progressing,
        Self::AwaitingPromotion,
        Self::Paused,
        Self::Succeeded,
        Self::Failed,
        Self::Reverting,
        Self::Reverted,
        Self::Superseded,
    ];

    /// The word for it in tables and messages.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Progressing => "progressing",
            Self::AwaitingPromotion => "awaiting promotion",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Reverting => "reverting",
            Self::Reverted => "reverted",
            Self::Superseded => "superseded",
        }
    }

    /// Whether nothing follows by itself.
    #[must_use]
    pub fn is_over(self) -> bool {
        match self {
            Self::Succeeded | Self::Failed | Self::Reverted | Self::Superseded => true,
            Self::Progressing | Self::AwaitingPromotion | Self::Paused | Self::Reverting => false,
        }
    }
}

impl fmt::Display for RolloutState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What began a rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RolloutCause {
    /// A new spec was applied.
    Change,
    /// An earlier spec was brought back by somebody.
    Rollback,
    /// The registry brings back the spec before one that failed.
    Revert {
        /// The generation that failed.
        failed: u64,
    },
    /// Somebody asked for restarts, without a change of the spec.
    Restart,
}

/// A rollout at the time of an event, in numbers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RolloutDetail {
    /// Where it is.
    pub state: RolloutState,
    /// What began it.
    pub cause: RolloutCause,
    /// The last generation that all instances had.
    pub from: u64,
    /// The generation that they come to.
    pub to: u64,
    /// Instances that should run, those beyond the number left out.
    pub instances: u32,
    /// Those of them that were changed.
    pub updated: u32,
    /// Those of them that have served for long enough since.
    pub available: u32,
    /// All that serve, before the change or after it.
    pub serving: u32,
    /// Instances beyond the number, for the time being.
    pub surge: u32,
    /// Why it failed, or waits; may be empty.
    pub why: String,
}
