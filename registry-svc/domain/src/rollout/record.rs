//! What a process keeps of its rollout: the one that goes on, or its last.

use process_model::{RolloutCause, RolloutState, Timestamp};
use serde::{Deserialize, Serialize};

/// A rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollout {
    /// Revision of the event that tells of its beginning: no other has it.
    pub id: u64,
    /// The last generation that all instances had.
    pub from: u64,
    /// The generation that they come to; later ones run like it.
    pub to: u64,
    /// What began it.
    pub cause: RolloutCause,
    /// Where it is.
    pub stage: Stage,
    /// Whether others may follow the canaries.
    pub promoted: bool,
    /// Who began it.
    pub actor: String,
    /// Why, as they said; may be empty.
    pub reason: String,
    /// W3C `traceparent` of the request that began it; may be empty.
    pub traceparent: String,
    /// When it began.
    pub began: Timestamp,
    /// When more instances than before had come to it, or somebody let it go on.
    pub progressed: Timestamp,
    /// Most instances that served after their change.
    pub most: u32,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// When it has to be looked at, whatever happens.
    pub due: Option<Timestamp>,
    /// Whether there are instances beyond the number.
    pub surge: bool,
}

/// Where a rollout is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Instances are changed.
    Progressing,
    /// The canaries serve, and nobody has promoted it.
    Awaiting,
    /// Somebody holds it.
    Paused,
    /// All instances have come to it and serve.
    Succeeded,
    /// It was given up.
    Failed {
        /// Why.
        why: String,
    },
}

impl Rollout {
    /// Whether it may do something yet.
    #[must_use]
    pub fn is_active(&self) -> bool {
        // Instances beyond the number go after its end.
        !self.is_over() || self.surge
    }

    /// Whether it is over.
    #[must_use]
    pub fn is_over(&self) -> bool {
        match self.stage {
            Stage::Progressing | Stage::Awaiting | Stage::Paused => false,
            Stage::Succeeded | Stage::Failed { .. } => true,
        }
    }

    /// Where it is, in the words of the API.
    #[must_use]
    pub fn state(&self) -> RolloutState {
        let reverts = self.reverts().is_some();
        match &self.stage {
            Stage::Progressing if reverts => RolloutState::Reverting,
            Stage::Progressing => RolloutState::Progressing,
            Stage::Awaiting => RolloutState::AwaitingPromotion,
            Stage::Paused => RolloutState::Paused,
            Stage::Succeeded if reverts => RolloutState::Reverted,
            Stage::Succeeded => RolloutState::Succeeded,
            Stage::Failed { .. } => RolloutState::Failed,
        }
    }

    /// The generation that failed before, if this brings back the one before.
    #[must_use]
    pub fn reverts(&self) -> Option<u64> {
        match self.cause {
            RolloutCause::Revert { failed } => Some(failed),
            RolloutCause::Change | RolloutCause::Rollback | RolloutCause::Restart => None,
        }
    }

    /// Why it failed; else nothing.
    #[must_use]
    pub fn why(&self) -> &str {
        match &self.stage {
            Stage::Failed { why } => why,
            Stage::Progressing | Stage::Awaiting | Stage::Paused | Stage::Succeeded => "",
        }
    }

    /// Whether an instance of this generation has yet to be changed.
    pub(crate) fn is_behind(&self, generation: u64) -> bool {
        match self.cause {
            RolloutCause::Restart => false,
            RolloutCause::Change | RolloutCause::Rollback | RolloutCause::Revert { .. } => generation < self.to,
        }
    }
}
