//! When a process runs: by the clock, and after others.

use super::reader::Reader;
use crate::convert::{WireFault, duration_to_wire};
use crate::v1::{self, DependencyCondition as Wire};
use process_model::spec::{CatchUp, Condition, Dependency, Overlap, Schedule};
use std::time::Duration;

pub(super) fn schedule_from_wire(wire: &v1::Schedule, reader: &mut Reader) -> Schedule {
    Schedule {
        cron: wire.cron.clone(),
        timezone: if wire.timezone.is_empty() { "UTC".to_owned() } else { wire.timezone.clone() },
        overlap: match reader.known("schedule.overlap", wire.overlap) {
            v1::ScheduleOverlap::Unspecified | v1::ScheduleOverlap::Skip => Overlap::Skip,
            v1::ScheduleOverlap::Queue => Overlap::Queue,
            v1::ScheduleOverlap::Replace => Overlap::Replace,
        },
        catch_up: match reader.known("schedule.catch_up", wire.catch_up) {
            v1::ScheduleCatchUp::Unspecified | v1::ScheduleCatchUp::None => CatchUp::None,
            v1::ScheduleCatchUp::Once => CatchUp::Once,
        },
        jitter: reader.duration("schedule.jitter", wire.jitter.as_ref(), Duration::ZERO),
    }
}

pub(super) fn schedule_to_wire(schedule: &Schedule) -> v1::Schedule {
    let overlap = match schedule.overlap {
        Overlap::Skip => v1::ScheduleOverlap::Skip,
        Overlap::Queue => v1::ScheduleOverlap::Queue,
        Overlap::Replace => v1::ScheduleOverlap::Replace,
    };
    let catch_up = match schedule.catch_up {
        CatchUp::None => v1::ScheduleCatchUp::None,
        CatchUp::Once => v1::ScheduleCatchUp::Once,
    };
    v1::Schedule {
        cron: schedule.cron.clone(),
        timezone: schedule.timezone.clone(),
        overlap: overlap.into(),
        catch_up: catch_up.into(),
        jitter: Some(duration_to_wire(schedule.jitter)),
    }
}

pub(super) fn dependencies_from_wire(wire: &[v1::Dependency], reader: &mut Reader) -> Vec<Dependency> {
    let read = |(index, dependency): (usize, &v1::Dependency)| {
        let process = reader.name(format!("depends_on[{index}]"), &dependency.process)?;
        let field = format!("depends_on.{process}");
        let condition = match reader.known(format!("{field}.condition"), dependency.condition) {
            Wire::Started => Condition::Started,
            Wire::Unspecified | Wire::Ready => Condition::Ready,
            Wire::Completed => Condition::Completed,
            Wire::CompletedOk => Condition::CompletedOk,
            Wire::Log => Condition::Log(dependency.log_pattern.clone()),
        };
        if !dependency.log_pattern.is_empty() && !matches!(condition, Condition::Log(_)) {
            reader.fault(format!("{field}.log"), "it goes with the condition log only", "leave it out");
        }
        Some(Dependency { process, condition })
    };
    wire.iter().enumerate().filter_map(read).collect()
}

pub(super) fn dependency_to_wire(dependency: &Dependency) -> v1::Dependency {
    let (condition, log_pattern) = match &dependency.condition {
        Condition::Started => (Wire::Started, ""),
        Condition::Ready => (Wire::Ready, ""),
        Condition::Completed => (Wire::Completed, ""),
        Condition::CompletedOk => (Wire::CompletedOk, ""),
        Condition::Log(pattern) => (Wire::Log, pattern.as_str()),
    };
    v1::Dependency {
        process: dependency.process.to_string(),
        condition: condition.into(),
        log_pattern: log_pattern.to_owned(),
    }
}

impl From<&Dependency> for v1::Dependency {
    fn from(dependency: &Dependency) -> Self {
        dependency_to_wire(dependency)
    }
}

impl TryFrom<&v1::Dependency> for Dependency {
    type Error = WireFault;
    fn try_from(wire: &v1::Dependency) -> Result<Self, WireFault> {
        let mut reader = Reader::default();
        let read = dependencies_from_wire(std::slice::from_ref(wire), &mut reader).pop();
        match (reader.faults.first(), read) {
            (None, Some(dependency)) => Ok(dependency),
            (Some(fault), _) => Err(WireFault::new("dependency", fault.to_string())),
            (None, None) => Err(WireFault::missing("dependency")),
        }
    }
}
