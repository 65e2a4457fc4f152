//! What an instance may use.

use super::faults::Faults;
use crate::spec::{ResourceLimits, limits};

pub(super) fn check(resources: &ResourceLimits, faults: &mut Faults) {
    if let Some(memory) = resources.memory {
        faults.size("limits.memory", memory, &limits::MEMORY);
    }
    if let Some(millis) = resources.cpu_millis
        && !limits::CPU_MILLIS.contains(&millis)
    {
        let cpus = |millis: u32| f64::from(millis) / 1000.0;
        let (least, most) = (cpus(*limits::CPU_MILLIS.start()), cpus(*limits::CPU_MILLIS.end()));
        faults.add("limits.cpu", format!("{} is out of range", cpus(millis)), format!("write {least} to {most}"));
    }
    if let Some(pids) = resources.pids {
        faults.number("limits.pids", pids, &limits::PIDS);
    }
}
