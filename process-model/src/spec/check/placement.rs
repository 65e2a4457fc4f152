//! Where instances go, how they come to a new spec, and that there is one.

use super::faults::Faults;
use crate::spec::{Placement, ProcessSpec, Share, UpdatePolicy, limits};
use crate::words;
use std::collections::BTreeSet;

pub(super) fn check(spec: &ProcessSpec, faults: &mut Faults) {
    if let Some(placement) = &spec.placement {
        check_placement(spec, placement, faults);
    }
    if let Some(update) = &spec.update {
        check_update(update, faults);
    }
    if let Some(singleton) = &spec.singleton {
        faults.duration("singleton.lease", singleton.lease, &limits::SINGLETON_LEASE);
        if spec.instances > 1 {
            faults.add("singleton", format!("there are {} instances", spec.instances), "write instances: 1");
        }
    }
}

fn check_placement(spec: &ProcessSpec, placement: &Placement, faults: &mut Faults) {
    faults.count("placement.constraints", placement.constraints.len(), limits::LIST);
    for (index, constraint) in placement.constraints.iter().enumerate() {
        if let Err(wrong) = constraint.matcher() {
            faults.add(format!("placement.constraints[{index}]"), wrong.problem, wrong.fix);
        }
    }
    if let Some(label) = &placement.spread_by
        && label.parse::<crate::ProcessName>().is_err()
    {
        faults.add("placement.spread_by", format!("{label:?} is no label"), "write the name of a label, as zone");
    }
    if let Some(most) = placement.max_per_node {
        faults.number("placement.max_per_node", most, &limits::MAX_PER_NODE);
    }
    faults.count("placement.apart_from", placement.apart_from.len(), limits::LIST);
    let mut seen = BTreeSet::new();
    for (index, other) in placement.apart_from.iter().enumerate() {
        let field = format!("placement.apart_from[{index}]");
        if *other == spec.name {
            faults.add(&field, "it is this process", "write placement.max_per_node: 1");
        }
        if !seen.insert(other) {
            faults.twice(field, other);
        }
    }
    faults.number("placement.reserve.cpu", placement.reserve.cpu_millis, &limits::RESERVED_CPU_MILLIS);
    faults.size("placement.reserve.memory", placement.reserve.memory, &limits::RESERVED_MEMORY);
    if let Some(after) = placement.replace_after {
        faults.duration("placement.replace_after", after, &limits::REPLACE_AFTER);
    }
    check_daemon(spec, placement, faults);
    if let (Some(after), Some(fence)) = (placement.replace_after, spec.fence())
        && after < fence
    {
        let problem = format!("{} is before its copy has ended for sure", words::duration(after));
        let fix = format!("write at least {} (lease, stop and margin), or leave it out", words::duration(fence));
        faults.add("placement.replace_after", problem, fix);
    }
}

/// A daemon belongs to its node.
fn check_daemon(spec: &ProcessSpec, placement: &Placement, faults: &mut Faults) {
    if !placement.daemon {
        return;
    }
    let fix = "leave it out, or daemon";
    if spec.instances != 1 {
        let problem = format!("there is one instance on each node, not {}", spec.instances);
        faults.add("instances", problem, "leave it out, or placement.daemon");
    }
    if spec.singleton.is_some() {
        faults.add("singleton", "there is one instance on each node", "leave it out, or placement.daemon");
    }
    if placement.replace_after.is_some() {
        faults.add("placement.replace_after", "a daemon stays with its node", fix);
    }
    if placement.max_per_node.is_some() {
        faults.add("placement.max_per_node", "there is one daemon on each node", fix);
    }
}

fn check_update(update: &UpdatePolicy, faults: &mut Faults) {
    for (field, share) in [("max_unavailable", update.max_unavailable), ("max_surge", update.max_surge)] {
        match share {
            Share::Count(count) => faults.number(format!("update.{field}"), count, &limits::INSTANCES),
            Share::Percent(percent) if percent > 100 => {
                faults.add(format!("update.{field}"), format!("{percent}% is out of range"), "write 0% to 100%");
            }
            Share::Percent(_) => {}
        }
    }
    if update.max_unavailable.is_zero() && update.max_surge.is_zero() {
        let fix = "write max_surge: 1, so that another serves meanwhile";
        faults.add("update.max_unavailable", "none may stop serving, so none could change", fix);
    }
    faults.duration("update.min_ready", update.min_ready, &limits::MIN_READY);
    faults.number("update.canary", update.canary, &limits::INSTANCES);
    faults.duration("update.progress_deadline", update.progress_deadline, &limits::PROGRESS_DEADLINE);
    if update.progress_deadline <= update.min_ready {
        let problem = format!("{} is not above min_ready", words::duration(update.progress_deadline));
        let fix = format!("write more than {}", words::duration(update.min_ready));
        faults.add("update.progress_deadline", problem, fix);
    }
}
