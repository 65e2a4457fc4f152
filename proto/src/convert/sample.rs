//! Samples.

use super::{WireFault, timestamp_from_wire, timestamp_to_wire};
use crate::v1;
use process_model::{InstanceSample, NodeSample};

impl From<&InstanceSample> for v1::InstanceSample {
    fn from(sample: &InstanceSample) -> Self {
        Self {
            instance_id: sample.instance.to_string(),
            process: sample.instance.process.to_string(),
            node: sample.node.to_string(),
            time: Some(timestamp_to_wire(sample.time)),
            cpu_seconds: sample.cpu_seconds,
            cpu_percent: sample.cpu_percent,
            memory_bytes: sample.memory_bytes,
            threads: sample.threads,
            open_files: sample.open_files,
            uptime_seconds: sample.uptime_seconds,
            processes: sample.processes,
            restarts: sample.restarts,
            pid: sample.pid,
        }
    }
}

impl TryFrom<&v1::InstanceSample> for InstanceSample {
    type Error = WireFault;
    fn try_from(wire: &v1::InstanceSample) -> Result<Self, WireFault> {
        let time = wire.time.as_ref().ok_or_else(|| WireFault::missing("time"))?;
        Ok(Self {
            instance: wire
                .instance_id
                .parse()
                .map_err(|e: process_model::InvalidInstanceId| WireFault::new("instance_id", e.to_string()))?,
            node: node_name(&wire.node)?,
            time: timestamp_from_wire("time", time)?,
            cpu_seconds: wire.cpu_seconds,
            cpu_percent: wire.cpu_percent,
            memory_bytes: wire.memory_bytes,
            threads: wire.threads,
            open_files: wire.open_files,
            uptime_seconds: wire.uptime_seconds,
            processes: wire.processes,
            restarts: wire.restarts,
            pid: wire.pid,
        })
    }
}

impl From<&NodeSample> for v1::NodeSample {
    fn from(sample: &NodeSample) -> Self {
        Self {
            node: sample.node.to_string(),
            time: Some(timestamp_to_wire(sample.time)),
            cpu_percent: sample.cpu_percent,
            memory_used_bytes: sample.memory_used_bytes,
            memory_total_bytes: sample.memory_total_bytes,
            load1: sample.load1,
            uptime_seconds: sample.uptime_seconds,
        }
    }
}

impl TryFrom<&v1::NodeSample> for NodeSample {
    type Error = WireFault;
    fn try_from(wire: &v1::NodeSample) -> Result<Self, WireFault> {
        let time = wire.time.as_ref().ok_or_else(|| WireFault::missing("time"))?;
        Ok(Self {
            node: node_name(&wire.node)?,
            time: timestamp_from_wire("time", time)?,
            cpu_percent: wire.cpu_percent,
            memory_used_bytes: wire.memory_used_bytes,
            memory_total_bytes: wire.memory_total_bytes,
            load1: wire.load1,
            uptime_seconds: wire.uptime_seconds,
        })
    }
}

fn node_name(text: &str) -> Result<process_model::NodeName, WireFault> {
    text.parse().map_err(|e: process_model::InvalidName| WireFault::new("node", e.to_string()))
}
