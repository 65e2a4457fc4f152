//! The fields of one process → its spec. A field with a fault takes its
//! default, so that the others are still read.

use super::mapping::Mapping;
use super::report::Report;
use super::shared::Shared;
use super::suggest::suggest;
use super::{command, execution, logs, order, paths, placement, ports, probe, restart, sockets, stop, value};
use crate::spec::{Command, Fault, RuntimeType};
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
    let command = command::read(fields, "command", report);
    let mut spec = ProcessSpec::new(name, command.unwrap_or_else(|| Command::Shell(":".to_owned())));
    spec.runtime = runtime(fields, report).unwrap_or(spec.runtime);
    // Relative commands mean what they mean beside the file.
    spec.working_dir =
        path(fields, "working_dir", shared, report).or_else(|| shared.base_dir.to_str().map(str::to_owned));
    spec.execution = execution::read(fields, shared, report);
    environment(fields, &mut spec, shared, report);
    spec.user = fields.literal("user", report).map(str::to_owned);
    spec.instances = fields.integer("instances", report).unwrap_or(spec.instances);
    spec.ports = ports::read(fields, report);
    spec.sockets = sockets::read(fields, shared, report);
    spec.depends_on = order::dependencies(fields, report);
    spec.schedule = order::schedule(fields, report);
    spec.hooks = stop::hooks(fields, report);
    spec.restart = restart::read(fields, fields.entry("schedule").is_some(), report);
    spec.stop = stop::read(fields, report);
    spec.readiness = probe::read(fields, "readiness", &spec.ports, report);
    spec.liveness = probe::read(fields, "liveness", &spec.ports, report);
    spec.notify_watchdog = fields.duration("watchdog", report);
    spec.log_file = path(fields, "log_file", shared, report);
    spec.logs = logs::policy(fields, report);
    spec.log_watchdog = logs::watchdog(fields, spec.log_file.as_ref(), shared, report);
    spec.log_rules = logs::rules(fields, report);
    spec.limits = execution::limits(fields, report);
    spec.placement = placement::placement(fields, report);
    spec.update = placement::update(fields, report);
    spec.singleton = placement::singleton(fields, report);
    spec.labels = fields.text_map("labels", report);
    spec.autostart = fields.flag("autostart", report).unwrap_or(spec.autostart);
    Some(spec)
}

/// The environment: the file's, under the files of the process, under its own
/// (S3.3). Without such files, the two are one.
fn environment(fields: &Mapping<'_>, spec: &mut ProcessSpec, shared: &Shared<'_>, report: &mut Report) {
    match spec.execution.as_mut().filter(|execution| !execution.env_files.is_empty()) {
        Some(execution) => execution.base_env = shared.env.clone(),
        None => spec.env = shared.env.clone(),
    }
    spec.env.extend(fields.text_map("env", report));
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

/// An absolute path.
pub(super) fn path(fields: &Mapping<'_>, name: &str, shared: &Shared<'_>, report: &mut Report) -> Option<String> {
    let text = fields.text(name, report)?;
    fields.read(name, report, |_| paths::absolute(shared.base_dir, text))
}
