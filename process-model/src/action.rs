//! Actions: asynchronous commands to a node.

use crate::spec::Signal;
use crate::{InstanceId, NodeName, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
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
    /// Send its main process a signal.
    Signal,
}

impl ActionVerb {
    /// Whether it leaves nothing that is wanted: carried out late, it would do
    /// what nobody wants any more.
    #[must_use]
    pub fn is_edge(self) -> bool {
        match self {
            Self::Start | Self::Stop | Self::Restart => false,
            Self::Reload | Self::Signal => true,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reload => "reload",
            Self::Signal => "signal",
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
    /// Nobody took it up in time; it is not carried out any more.
    Expired,
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
            Self::Expired => "expired",
        }
    }

    /// Whether nothing more will happen to it.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Expired)
    }
}

/// What an action is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActionTarget {
    /// An instance of a process.
    Instance(InstanceId),
    /// A systemd unit of its node.
    Unit(String),
}

impl ActionTarget {
    /// The instance, if it is one.
    #[must_use]
    pub fn instance(&self) -> Option<&InstanceId> {
        match self {
            Self::Instance(id) => Some(id),
            Self::Unit(_) => None,
        }
    }
}

impl fmt::Display for ActionTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Instance(id) => id.fmt(f),
            Self::Unit(unit) => f.pad(unit),
        }
    }
}

/// One command to one instance, or to one unit of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Action {
    /// Unique id.
    pub id: String,
    /// What is to be done.
    pub verb: ActionVerb,
    /// To what. Written as `instance` or `unit`.
    #[serde(flatten)]
    pub target: ActionTarget,
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
    /// When it expires, unless it is over; `None`: never.
    #[serde(default)]
    pub expires: Option<Timestamp>,
    /// The signal of the verb of that name.
    #[serde(default)]
    pub signal: Option<Signal>,
}
