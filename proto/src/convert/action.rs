//! Actions.

use super::{WireFault, timestamp_to_wire};
use crate::v1;
use process_model::{Action, ActionState, ActionTarget, ActionVerb};

impl From<ActionVerb> for v1::ActionVerb {
    fn from(verb: ActionVerb) -> Self {
        match verb {
            ActionVerb::Start => Self::Start,
            ActionVerb::Stop => Self::Stop,
            ActionVerb::Restart => Self::Restart,
            ActionVerb::Reload => Self::Reload,
            ActionVerb::Signal => Self::Signal,
        }
    }
}

impl TryFrom<v1::ActionVerb> for ActionVerb {
    type Error = WireFault;
    fn try_from(verb: v1::ActionVerb) -> Result<Self, WireFault> {
        match verb {
            v1::ActionVerb::Start => Ok(Self::Start),
            v1::ActionVerb::Stop => Ok(Self::Stop),
            v1::ActionVerb::Restart => Ok(Self::Restart),
            v1::ActionVerb::Reload => Ok(Self::Reload),
            v1::ActionVerb::Signal => Ok(Self::Signal),
            v1::ActionVerb::Unspecified => Err(WireFault::new("verb", "is missing or unknown")),
        }
    }
}

impl From<ActionState> for v1::ActionState {
    fn from(state: ActionState) -> Self {
        match state {
            ActionState::Queued => Self::Queued,
            ActionState::Delivered => Self::Delivered,
            ActionState::Done => Self::Done,
            ActionState::Failed => Self::Failed,
            ActionState::Expired => Self::Expired,
        }
    }
}

impl TryFrom<v1::ActionState> for ActionState {
    type Error = WireFault;
    fn try_from(state: v1::ActionState) -> Result<Self, WireFault> {
        match state {
            v1::ActionState::Queued => Ok(Self::Queued),
            v1::ActionState::Delivered => Ok(Self::Delivered),
            v1::ActionState::Done => Ok(Self::Done),
            v1::ActionState::Failed => Ok(Self::Failed),
            v1::ActionState::Expired => Ok(Self::Expired),
            v1::ActionState::Unspecified => Err(WireFault::new("state", "is missing or unknown")),
        }
    }
}

impl From<&Action> for v1::Action {
    fn from(action: &Action) -> Self {
        Self {
            id: action.id.clone(),
            verb: v1::ActionVerb::from(action.verb).into(),
            instance_id: action.target.instance().map(ToString::to_string).unwrap_or_default(),
            node: action.node.as_ref().map(ToString::to_string).unwrap_or_default(),
            state: v1::ActionState::from(action.state).into(),
            message: action.message.clone(),
            create_time: Some(timestamp_to_wire(action.created)),
            update_time: Some(timestamp_to_wire(action.updated)),
            actor: action.actor.clone(),
            reason: action.reason.clone(),
            expire_time: action.expires.map(timestamp_to_wire),
            unit: match &action.target {
                ActionTarget::Instance(_) => String::new(),
                ActionTarget::Unit(unit) => unit.clone(),
            },
            signal: action.signal.map(|signal| signal.to_string()).unwrap_or_default(),
        }
    }
}
