//! Rollouts, as far as their numbers tell.

use crate::v1;
use process_model::{RolloutCause, RolloutDetail, RolloutState};

impl From<&RolloutDetail> for v1::Rollout {
    fn from(detail: &RolloutDetail) -> Self {
        let (cause, reverts) = match detail.cause {
            RolloutCause::Change => (v1::RolloutCause::Change, 0),
            RolloutCause::Rollback => (v1::RolloutCause::Rollback, 0),
            RolloutCause::Revert { failed } => (v1::RolloutCause::Revert, failed),
            RolloutCause::Restart => (v1::RolloutCause::Restart, 0),
        };
        Self {
            state: v1::RolloutState::from(detail.state).into(),
            cause: cause.into(),
            from: detail.from,
            to: detail.to,
            reverts,
            instances: detail.instances,
            updated: detail.updated,
            available: detail.available,
            serving: detail.serving,
            surge: detail.surge,
            why: detail.why.clone(),
            ..Self::default()
        }
    }
}

impl From<RolloutState> for v1::RolloutState {
    fn from(state: RolloutState) -> Self {
        match state {
            RolloutState::Progressing => Self::Progressing,
            RolloutState::AwaitingPromotion => Self::AwaitingPromotion,
            RolloutState::Paused => Self::Paused,
            RolloutState::Succeeded => Self::Succeeded,
            RolloutState::Failed => Self::Failed,
            RolloutState::Reverting => Self::Reverting,
            RolloutState::Reverted => Self::Reverted,
            RolloutState::Superseded => Self::Superseded,
        }
    }
}
