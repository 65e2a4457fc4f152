//! A stored node.

use process_model::{NodeName, Timestamp};
use serde::{Deserialize, Serialize};

/// A server with a runner on it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Its name.
    pub name: NodeName,
    /// Whether it is heard from.
    pub state: NodeState,
    /// When that last changed.
    pub state_time: Timestamp,
    /// The kernel's boot id of its last session.
    pub boot_id: String,
    /// Version of its runner.
    pub runner_version: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// When it first connected.
    pub created: Timestamp,
}

/// Whether a node is heard from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NodeState {
    /// It is.
    Ready,
    /// Its lease ran out.
    Lost,
}
