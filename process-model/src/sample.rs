//! Measurements of instances and nodes.

use crate::{InstanceId, NodeName, Timestamp};
use serde::{Deserialize, Serialize};

/// One measurement of an instance's whole process tree.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InstanceSample {
    /// The instance.
    pub instance: InstanceId,
    /// Its node.
    pub node: NodeName,
    /// When, by the node's clock.
    pub time: Timestamp,
    /// Processor time used so far by the run, in seconds.
    pub cpu_seconds: f64,
    /// Share of one processor since the sample before, in percent.
    pub cpu_percent: f64,
    /// Resident memory in bytes.
    pub memory_bytes: u64,
    /// Threads.
    pub threads: u32,
    /// Open file descriptors.
    pub open_files: u32,
    /// Time since the run began, in seconds.
    pub uptime_seconds: f64,
    /// Processes in the tree.
    pub processes: u32,
    /// Restarts so far.
    pub restarts: u32,
    /// Main process id.
    pub pid: u32,
}

/// One measurement of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NodeSample {
    /// The node.
    pub node: NodeName,
    /// When, by the node's clock.
    pub time: Timestamp,
    /// Share of all processors since the sample before, 0 to 100.
    pub cpu_percent: f64,
    /// Memory in use, in bytes.
    pub memory_used_bytes: u64,
    /// Memory of the server, in bytes.
    pub memory_total_bytes: u64,
    /// Load average over one minute.
    pub load1: f64,
    /// Time since boot, in seconds.
    pub uptime_seconds: u64,
}
