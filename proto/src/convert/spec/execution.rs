//! What a program gets from the kernel.

use super::reader::{Reader, non_empty};
use crate::v1;
use process_model::spec::{Execution, IoClass, IoPriority, Resource, Rlimit};
use std::collections::BTreeMap;

pub(super) fn execution_from_wire(wire: &v1::Execution, reader: &mut Reader) -> Execution {
    let mut rlimits = BTreeMap::new();
    for (name, limit) in &wire.rlimits {
        match Resource::ALL.into_iter().find(|resource| resource.as_str() == name) {
            Some(resource) => {
                rlimits.insert(resource, Rlimit { soft: limit.soft, hard: limit.hard });
            }
            None => {
                let known: Vec<&str> = Resource::ALL.iter().map(|resource| resource.as_str()).collect();
                let fix = format!("write one of {}", known.join(", "));
                reader.fault(format!("rlimits.{name}"), "it is no resource limit", fix);
            }
        }
    }
    Execution {
        umask: wire.umask,
        group: non_empty(&wire.group),
        supplementary_groups: wire.supplementary_groups.as_ref().map(|list| list.groups.clone()),
        rlimits,
        nice: wire.nice.map(|nice| reader.narrow("nice", nice, "-20 to 19", 0)),
        io_priority: wire.io_priority.as_ref().and_then(|priority| io_priority(priority, reader)),
        oom_score_adj: wire.oom_score_adj.map(|score| reader.narrow("oom_score_adj", score, "-1000 to 1000", 0)),
        cpu_affinity: cpus(&wire.cpu_affinity, reader),
        no_new_privs: wire.no_new_privs,
        env_files: wire.env_files.clone(),
        base_env: wire.base_env.clone(),
    }
}

fn io_priority(wire: &v1::IoPriority, reader: &mut Reader) -> Option<IoPriority> {
    let class = match reader.known("io_priority.class", wire.class) {
        v1::IoClass::Realtime => IoClass::Realtime,
        v1::IoClass::BestEffort => IoClass::BestEffort,
        v1::IoClass::Idle => IoClass::Idle,
        v1::IoClass::Unspecified => {
            if wire.class == 0 {
                reader.fault("io_priority.class", "it is missing", "write realtime, best-effort or idle");
            }
            return None;
        }
    };
    Some(IoPriority { class, level: reader.narrow("io_priority.level", wire.level, "0 to 7", 0) })
}

fn cpus(wire: &[u32], reader: &mut Reader) -> Vec<u16> {
    let read = |(index, cpu): (usize, &u32)| reader.narrow(format!("cpu_affinity[{index}]"), *cpu, "0 to 1023", 0);
    // A stand-in could be there twice; without one, no second fault follows.
    let read: Vec<u16> = wire.iter().enumerate().map(read).collect();
    if wire.iter().all(|cpu| u16::try_from(*cpu).is_ok()) { read } else { Vec::new() }
}

pub(super) fn execution_to_wire(execution: &Execution) -> v1::Execution {
    let limit = |(resource, limit): (&Resource, &Rlimit)| {
        (resource.as_str().to_owned(), v1::Rlimit { soft: limit.soft, hard: limit.hard })
    };
    let priority = |priority: IoPriority| {
        let class = match priority.class {
            IoClass::Realtime => v1::IoClass::Realtime,
            IoClass::BestEffort => v1::IoClass::BestEffort,
            IoClass::Idle => v1::IoClass::Idle,
        };
        v1::IoPriority { class: class.into(), level: u32::from(priority.level) }
    };
    let groups = execution.supplementary_groups.as_ref();
    v1::Execution {
        umask: execution.umask,
        group: execution.group.clone().unwrap_or_default(),
        supplementary_groups: groups.map(|groups| v1::GroupList { groups: groups.clone() }),
        rlimits: execution.rlimits.iter().map(limit).collect(),
        nice: execution.nice.map(i32::from),
        io_priority: execution.io_priority.map(priority),
        oom_score_adj: execution.oom_score_adj.map(i32::from),
        cpu_affinity: execution.cpu_affinity.iter().copied().map(u32::from).collect(),
        no_new_privs: execution.no_new_privs,
        env_files: execution.env_files.clone(),
        base_env: execution.base_env.clone(),
    }
}
