//! Actions: asynchronous commands to a node.

use crate::{InstanceId, NodeName, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionVerb {
    /// Start the instance.
    Start,
    /// Stop the instance.
    Stop,
    /// Stop it if it runs, then start it.
    Restart,
    /// Make it read its configuration anew, without an end.
    Reload,
}

impl ActionVerb {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
        }
    }
}

/// The life of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionState {
    /// Stored; the node has not confirmed it.
    Queued,
    /// The node has it.
    Delivered,
    /// Done.
    Done,
    /// Not done.
    Failed,
}

impl ActionState {
    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Delivered => "delivered",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed)
    }
}

/// One command to one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Unique id.
    pub id: String,
    /// What is to be done.
    pub verb: ActionVerb,
    /// To which instance.
    pub instance: InstanceId,
    /// By which node; `None` until the instance has been placed.
    pub node: Option<NodeName>,
    /// How far it has come.
    pub state: ActionState,
    /// Why it failed; may be empty.
    pub message: String,
    /// When it was queued.
    pub created: Timestamp,
    /// When its state last changed.
    pub updated: Timestamp,
    /// Who asked.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Overrides the spec's stop timeout.
    pub stop_timeout: Option<Duration>,
    /// `restart_count` of the assignment that it caused.
    pub restart_count: u64,
    /// W3C `traceparent` of the request; may be empty.
    pub traceparent: String,
}
