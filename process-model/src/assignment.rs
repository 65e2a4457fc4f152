//! The registry's decision that an instance belongs on a node.

use crate::{InstanceId, ProcessSpec};
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
}
