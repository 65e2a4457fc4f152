//! The registry's decision that an instance belongs on a node.

use crate::{InstanceId, Plan, ProcessSpec};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// What a node has to do about one instance. Level, not edge: it may be
/// repeated and holds everything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Assignment {
    /// The instance.
    pub instance: InstanceId,
    /// Generation of the spec.
    pub generation: u64,
    /// What to run; shared by the instances of a process.
    pub spec: Arc<ProcessSpec>,
    /// Whether it should run.
    pub wanted: bool,
    /// Grows with each restart that was asked for.
    pub restart_count: u64,
    /// W3C `traceparent` of the request that last changed this; may be empty.
    #[serde(default)]
    pub traceparent: String,
    /// Revision of its placement: what it writes elsewhere under an older one is of a copy that was replaced.
    #[serde(default)]
    pub fencing_token: u64,
    /// Where its schedule stands, for a node that is new to it.
    #[serde(default)]
    pub plan: Option<Plan>,
}
