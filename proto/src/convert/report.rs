//! Reports from runners.

use super::{WireFault, timestamp_from_wire, timestamp_to_wire};
use crate::v1;
use process_model::{ActionReport, ExitStatus, InstanceReport};

impl From<&InstanceReport> for v1::InstanceReport {
    fn from(report: &InstanceReport) -> Self {
        Self {
            instance_id: report.instance.to_string(),
            seq: report.seq,
            generation: report.generation,
            event_type: report.event_type.clone(),
            time: Some(timestamp_to_wire(report.time)),
            phase: v1::InstancePhase::from(report.phase).into(),
            ready: report.ready,
            pid: report.pid,
            restarts: report.restarts,
            last_exit: report.last_exit.as_ref().map(Into::into),
            start_time: report.started.map(timestamp_to_wire),
            message: report.message.clone(),
            next_restart_time: report.next_restart.map(timestamp_to_wire),
            gone: report.gone,
            containment: report.containment.clone(),
            status: report.status.clone(),
            log_lines: report.log_lines.clone(),
        }
    }
}

impl TryFrom<&v1::InstanceReport> for InstanceReport {
    type Error = WireFault;
    fn try_from(wire: &v1::InstanceReport) -> Result<Self, WireFault> {
        let time = wire.time.as_ref().ok_or_else(|| WireFault::missing("time"))?;
        Ok(Self {
            instance: wire
                .instance_id
                .parse()
                .map_err(|e: process_model::InvalidInstanceId| WireFault::new("instance_id", e.to_string()))?,
            seq: wire.seq,
            generation: wire.generation,
            event_type: wire.event_type.clone(),
            time: timestamp_from_wire("time", time)?,
            phase: wire.phase().try_into()?,
            ready: wire.ready,
            pid: wire.pid,
            restarts: wire.restarts,
            last_exit: wire.last_exit.as_ref().map(ExitStatus::try_from).transpose()?,
            started: wire.start_time.as_ref().map(|t| timestamp_from_wire("start_time", t)).transpose()?,
            message: wire.message.clone(),
            next_restart: wire
                .next_restart_time
                .as_ref()
                .map(|t| timestamp_from_wire("next_restart_time", t))
                .transpose()?,
            gone: wire.gone,
            containment: wire.containment.clone(),
            status: wire.status.clone(),
            log_lines: wire.log_lines.clone(),
        })
    }
}

impl From<&ActionReport> for v1::ActionReport {
    fn from(report: &ActionReport) -> Self {
        Self {
            action_id: report.action.clone(),
            state: v1::ActionState::from(report.state).into(),
            message: report.message.clone(),
            time: Some(timestamp_to_wire(report.time)),
        }
    }
}

impl TryFrom<&v1::ActionReport> for ActionReport {
    type Error = WireFault;
    fn try_from(wire: &v1::ActionReport) -> Result<Self, WireFault> {
        let time = wire.time.as_ref().ok_or_else(|| WireFault::missing("time"))?;
        Ok(Self {
            action: wire.action_id.clone(),
            state: wire.state().try_into()?,
            message: wire.message.clone(),
            time: timestamp_from_wire("time", time)?,
        })
    }
}
