//! The rules that a spec keeps as a whole, each reported at the field that it
//! names; and what is valid but probably not meant.

use super::locate;
use super::mapping::Mapping;
use super::report::{MAX_FAULTS, Report};
use super::tree::Position;
use crate::ProcessSpec;
use crate::spec::{Fault, LimitMode, LogWatchdog};
use crate::words;

/// Reports what [`ProcessSpec::check`] finds, unless it only follows from a
/// fault that is reported already.
pub(super) fn check(spec: &ProcessSpec, fields: &Mapping<'_>, report: &mut Report) {
    if report.is_full() {
        return;
    }
    let news: Vec<(Position, Fault)> = spec
        .check()
        .into_iter()
        .filter(|fault| {
            let followed = causes(&fault.field).iter().any(|cause| report.is_faulty(&fields.field(cause)));
            !followed && !report.is_faulty(&fields.field(&fault.field)) && !locate::is_shared(fault, fields)
        })
        .take(MAX_FAULTS)
        .map(|fault| locate::place(fault, fields))
        .collect();
    for (at, fault) in news {
        report.fault(at, fault);
    }
    for warning in warnings(spec) {
        let (at, fault) = locate::place(warning, fields);
        report.warn(at, fault);
    }
}

/// Fields whose default, taken because of a fault, would make a rule of
/// `field` fail.
fn causes(field: &str) -> &'static [&'static str] {
    match field {
        "type" => &["command"],
        "restart.backoff.max" => &["restart"],
        "log_file" | "sockets" | "singleton" => &["instances"],
        "placement.replace_after" => &["singleton", "stop", "hooks"],
        "logs.quota" => &["logs.max_size"],
        _ => &[],
    }
}

fn warnings(spec: &ProcessSpec) -> Vec<Fault> {
    let mut warnings = Vec::new();
    if let Some(LogWatchdog { timeout, interval, .. }) = &spec.log_watchdog
        && interval > timeout
    {
        let (interval, timeout) = (words::duration(*interval), words::duration(*timeout));
        let problem = format!("{interval} is longer than the timeout of {timeout}");
        let fix = "write less than the timeout, or silence is noticed late";
        warnings.push(Fault::new("log_watchdog.interval", problem, fix));
    }
    if let (Some(memory), Some(limits)) = (spec.restart.max_memory, &spec.limits)
        && let (Some(limit), LimitMode::Enforce) = (limits.memory, limits.mode)
        && memory >= limit
    {
        let problem = format!("{} is not below limits.memory, {}", words::size(memory), words::size(limit));
        warnings.push(Fault::new("restart.max_memory", problem, "write less, or the kernel kills before"));
    }
    warnings
}
