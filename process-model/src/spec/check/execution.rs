//! What a program gets from the kernel.

use super::command::check_environment;
use super::faults::Faults;
use crate::spec::{Execution, Resource, limits};
use std::collections::BTreeSet;

pub(super) fn check(execution: &Execution, faults: &mut Faults) {
    if let Some(umask) = execution.umask {
        faults.mode("umask", umask);
    }
    if let Some(group) = &execution.group {
        faults.account("group", group, "group");
    }
    check_groups(execution.supplementary_groups.as_deref().unwrap_or_default(), faults);
    check_rlimits(execution, faults);
    if let Some(nice) = execution.nice {
        faults.number("nice", i64::from(nice), &limits::NICE);
    }
    if let Some(priority) = execution.io_priority {
        faults.number("io_priority.level", u32::from(priority.level), &limits::IO_LEVEL);
    }
    if let Some(score) = execution.oom_score_adj {
        faults.number("oom_score_adj", i64::from(score), &limits::OOM_SCORE_ADJ);
    }
    let mut seen = BTreeSet::new();
    for (index, cpu) in execution.cpu_affinity.iter().enumerate() {
        faults.number(format!("cpu_affinity[{index}]"), u32::from(*cpu), &limits::CPU_NUMBER);
        if !seen.insert(cpu) {
            faults.twice(format!("cpu_affinity[{index}]"), format!("CPU {cpu}"));
        }
    }
    check_env_files(&execution.env_files, faults);
    check_environment(&execution.base_env, faults);
}

fn check_groups(groups: &[String], faults: &mut Faults) {
    faults.count("groups", groups.len(), limits::LIST);
    let mut seen = BTreeSet::new();
    for (index, group) in groups.iter().enumerate() {
        faults.account(format!("groups[{index}]"), group, "group");
        if !seen.insert(group) {
            faults.twice(format!("groups[{index}]"), format!("{group:?}"));
        }
    }
}

fn check_rlimits(execution: &Execution, faults: &mut Faults) {
    for (resource, limit) in &execution.rlimits {
        let field = format!("rlimits.{}", resource.as_str());
        // No limit is more than any.
        let (soft, hard) = (limit.soft.unwrap_or(u64::MAX), limit.hard.unwrap_or(u64::MAX));
        if soft > hard {
            let soft = limit.soft.map_or_else(|| "unlimited".to_owned(), |soft| soft.to_string());
            faults.add(&field, format!("soft is {soft}, above the hard limit of {hard}"), "write soft up to hard");
        }
        // 20 less the nice value (getrlimit(2)), and the real-time priorities (sched(7)).
        let top = match resource {
            Resource::Nice => Some(40),
            Resource::Rtprio => Some(99),
            Resource::As
            | Resource::Core
            | Resource::Cpu
            | Resource::Data
            | Resource::Fsize
            | Resource::Memlock
            | Resource::Msgqueue
            | Resource::Nofile
            | Resource::Nproc
            | Resource::Sigpending
            | Resource::Stack => None,
        };
        let highest = limit.soft.into_iter().chain(limit.hard).max();
        if let (Some(top), Some(highest)) = (top, highest)
            && highest > top
        {
            faults.add(field, format!("{highest} is out of range"), format!("write 0 to {top}"));
        }
    }
}

/// Paths, each perhaps after a `-`.
fn check_env_files(files: &[String], faults: &mut Faults) {
    faults.count("env_files", files.len(), limits::LIST);
    for (index, file) in files.iter().enumerate() {
        faults.path(&format!("env_files[{index}]"), file.strip_prefix('-').unwrap_or(file));
    }
}
