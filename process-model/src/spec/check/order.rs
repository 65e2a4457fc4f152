//! When a process runs: after others, and by the clock.

use super::faults::Faults;
use crate::spec::{Condition, ProcessSpec, limits};
use std::collections::BTreeSet;

pub(super) fn check(spec: &ProcessSpec, faults: &mut Faults) {
    faults.count("depends_on", spec.depends_on.len(), limits::LIST);
    let mut seen = BTreeSet::new();
    for dependency in &spec.depends_on {
        let field = format!("depends_on.{}", dependency.process);
        if dependency.process == spec.name {
            faults.add(&field, "it depends on itself", "leave it out");
        }
        if !seen.insert(&dependency.process) {
            faults.twice(&field, &dependency.process);
        }
        match &dependency.condition {
            Condition::Log(pattern) => faults.pattern(format!("{field}.log"), pattern),
            Condition::Started | Condition::Ready | Condition::Completed | Condition::CompletedOk => {}
        }
    }
    if let Some(schedule) = &spec.schedule {
        for fault in schedule.faults() {
            faults.add(fault.field, fault.problem, fault.fix);
        }
    }
}
