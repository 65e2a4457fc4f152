//! What a runner reports upwards.

use crate::{ActionState, ExitStatus, InstanceId, Phase, Timestamp};
use serde::{Deserialize, Serialize};

/// A lifecycle fact: an instance's state after something happened to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceReport {
    /// The instance.
    pub instance: InstanceId,
    /// Grows with each report of this instance, for ever.
    pub seq: u64,
    /// Generation of the spec that it runs.
    pub generation: u64,
    /// What happened: one of [`crate::event_type`].
    pub event_type: String,
    /// When, by the node's clock.
    pub time: Timestamp,
    /// Phase after it.
    pub phase: Phase,
    /// Whether it serves.
    pub ready: bool,
    /// Process id; 0 when none runs.
    pub pid: u32,
    /// Restarts since it was last started on request.
    pub restarts: u32,
    /// How the last run ended.
    pub last_exit: Option<ExitStatus>,
    /// When the current or last run began.
    pub started: Option<Timestamp>,
    /// In words.
    pub message: String,
    /// When the next restart is due.
    pub next_restart: Option<Timestamp>,
    /// True: unassigned, and nothing of it is left.
    pub gone: bool,
    /// What holds its process tree together; empty while none runs.
    #[serde(default)]
    pub containment: String,
    /// What the program says of itself (`STATUS=`, sd_notify(3)).
    #[serde(default)]
    pub status: String,
    /// The last lines of its output, on events that a person will ask about.
    #[serde(default)]
    pub log_lines: Vec<String>,
}

/// A change of an action.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ActionReport {
    /// The action.
    pub action: String,
    /// Its state now.
    pub state: ActionState,
    /// Why it failed; may be empty.
    pub message: String,
    /// When, by the node's clock.
    pub time: Timestamp,
}
