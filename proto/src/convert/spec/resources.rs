//! Limits by cgroup.

use super::reader::Reader;
use crate::v1;
use process_model::spec::{LimitMode, ResourceLimits};

pub(super) fn limits_from_wire(wire: &v1::ResourceLimits, reader: &mut Reader) -> ResourceLimits {
    ResourceLimits {
        memory: wire.memory,
        cpu_millis: wire.cpu_millis,
        pids: wire.pids,
        mode: match reader.known("limits.mode", wire.mode) {
            v1::LimitMode::Unspecified | v1::LimitMode::Enforce => LimitMode::Enforce,
            v1::LimitMode::Observe => LimitMode::Observe,
        },
    }
}

pub(super) fn limits_to_wire(limits: &ResourceLimits) -> v1::ResourceLimits {
    let mode = match limits.mode {
        LimitMode::Enforce => v1::LimitMode::Enforce,
        LimitMode::Observe => v1::LimitMode::Observe,
    };
    v1::ResourceLimits { memory: limits.memory, cpu_millis: limits.cpu_millis, pids: limits.pids, mode: mode.into() }
}
