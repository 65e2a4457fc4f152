//! The fields of one process → its spec, and the rules that a spec keeps as a
//! whole, each reported at the field that it names.
//!
//! A field with a fault takes its default, so that the others are still read.

use super::mapping::Mapping;
use super::report::{MAX_FAULTS, Report};
use super::scalar::{Wrong, cut};
use super::shared::Shared;
use super::suggest::suggest;
use super::tree::Position;
use super::{command, locate, paths, ports, readiness, restart, value};
use crate::spec::{Command, Fault, LogWatchdog, RuntimeType, Signal, StopPolicy};
use crate::{ProcessName, ProcessSpec};

/// The spec that the fields say. Without a usable name, which is reported
/// already, a stand-in is read for the faults of the rest.
pub(super) fn read(
    fields: &Mapping<'_>,
    name: Option<ProcessName>,
    shared: &Shared<'_>,
    report: &mut Report,
) -> Option<ProcessSpec> {
    let name = name.or_else(|| "unnamed".parse().ok())?;
    let command = command::read(fields, report);
    let mut spec = ProcessSpec::new(name, command.unwrap_or_else(|| Command::Shell(":".to_owned())));
    spec.runtime = runtime(fields, report).unwrap_or(spec.runtime);
    // Relative commands mean what they mean beside the file.
    spec.working_dir =
        path(fields, "working_dir", shared, report).or_else(|| shared.base_dir.to_str().map(str::to_owned));
    spec.env = shared.env.clone();
    spec.env.extend(fields.text_map("env", report));
    spec.user = fields.literal("user", report).map(str::to_owned);
    spec.instances = fields.integer("instances", report).unwrap_or(spec.instances);
    spec.ports = ports::read(fields, report);
    spec.restart = restart::read(fields, report);
    spec.stop = stop(fields, report);
    spec.readiness = readiness::read(fields, &spec.ports, report);
    spec.log_file = path(fields, "log_file", shared, report);
    spec.log_watchdog = watchdog(fields, &spec, shared, report);
    spec.labels = fields.text_map("labels", report);
    spec.autostart = fields.flag("autostart", report).unwrap_or(spec.autostart);
    Some(spec)
}

/// The type. Which there are is the node's to say; what is nearly a built-in
/// one is probably meant to be it.
fn runtime(fields: &Mapping<'_>, report: &mut Report) -> Option<RuntimeType> {
    let text = fields.text("type", report)?;
    let runtime = fields.read("type", report, |_| value::name::<RuntimeType>(text))?;
    if !RuntimeType::BUILT_IN.contains(&text)
        && let Some(meant) = suggest(text, &RuntimeType::BUILT_IN)
    {
        let problem = format!("{text} is no built-in type; a node without a definition of its own refuses to start it");
        let at = fields.entry("type").map(|entry| entry.value.at).unwrap_or_default();
        report.warn(at, Fault::new(fields.field("type"), problem, format!("did you mean {meant}?")));
    }
    Some(runtime)
}

fn path(fields: &Mapping<'_>, name: &str, shared: &Shared<'_>, report: &mut Report) -> Option<String> {
    let text = fields.text(name, report)?;
    fields.read(name, report, |_| paths::absolute(shared.base_dir, text))
}

fn stop(fields: &Mapping<'_>, report: &mut Report) -> StopPolicy {
    let default = StopPolicy::default();
    let Some(stop) = fields.group("stop", report) else { return default };
    let signal = stop.literal("signal", report).and_then(|text| {
        let known = text.parse::<Signal>().map_err(|_| {
            Wrong::new(format!("{:?} is no signal", cut(text)), "write a name as SIGTERM or a number from 1 to 31")
        });
        stop.read("signal", report, |_| known)
    });
    StopPolicy {
        signal: signal.unwrap_or(default.signal),
        timeout: stop.duration("timeout", report).unwrap_or(default.timeout),
        kill_timeout: stop.duration("kill_timeout", report).unwrap_or(default.kill_timeout),
    }
}

fn watchdog(fields: &Mapping<'_>, spec: &ProcessSpec, shared: &Shared<'_>, report: &mut Report) -> Option<LogWatchdog> {
    let watchdog = fields.group("log_watchdog", report)?;
    // Without a file of its own it watches the process's output, wherever that goes.
    let file = path(&watchdog, "log_file", shared, report).or_else(|| spec.log_file.clone());
    let default = LogWatchdog::new(file);
    Some(LogWatchdog {
        timeout: watchdog.duration("timeout", report).unwrap_or(default.timeout),
        interval: watchdog.duration("interval", report).unwrap_or(default.interval),
        log_file: default.log_file,
    })
}

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
    if let Some(LogWatchdog { timeout, interval, .. }) = &spec.log_watchdog
        && interval > timeout
    {
        let show = |duration| humantime::format_duration(duration);
        let problem = format!("{} is longer than the timeout of {}", show(*interval), show(*timeout));
        let fault =
            Fault::new("log_watchdog.interval", problem, "write less than the timeout, or silence is noticed late");
        let (at, fault) = locate::place(fault, fields);
        report.warn(at, fault);
    }
}

/// Fields whose default, taken because of a fault, would make a rule of
/// `field` fail.
fn causes(field: &str) -> &'static [&'static str] {
    match field {
        "type" => &["command"],
        "restart.backoff.max" => &["restart"],
        "log_file" => &["instances"],
        _ => &[],
    }
}
