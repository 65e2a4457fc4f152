//! Process specs. A spec from the wire is checked as a whole: all its faults
//! come back together, under the names that its fields have in a process file.

mod execution;
mod hook;
mod logs;
mod placement;
mod probe;
mod reader;
mod resources;
mod restart;
mod socket;
mod stop;
#[cfg(test)]
mod tests;
mod timing;

use super::duration_to_wire;
use crate::v1::{self, process_spec};
use process_model::ProcessSpec;
use process_model::spec::{Command, Fault, LogWatchdog, RestartMode, limits::default};
use reader::{Reader, non_empty};

/// Reads and checks a spec.
///
/// # Errors
/// Everything that is wrong with it, field by field.
pub fn spec_from_wire(wire: &v1::ProcessSpec) -> Result<ProcessSpec, Vec<Fault>> {
    let mut reader = Reader::default();
    let name = reader.name("name", &wire.name);
    let command = match &wire.command {
        Some(process_spec::Command::Shell(line)) => Command::Shell(line.clone()),
        Some(process_spec::Command::Argv(argv)) => Command::Argv(argv.args.clone()),
        None => {
            reader.fault("command", "it is missing", "write the program to run");
            Command::Shell(":".to_owned())
        }
    };
    // The stand-in name is never returned: a fault was recorded with it.
    let Some(name) = name.or_else(|| "x".parse().ok()) else { return Err(reader.faults) };
    let mut spec = ProcessSpec::new(name, command);
    if !wire.r#type.is_empty() {
        spec.runtime = reader.name("type", &wire.r#type).unwrap_or(spec.runtime);
    }
    spec.working_dir = non_empty(&wire.working_dir);
    spec.env = wire.env.clone();
    spec.user = non_empty(&wire.user);
    spec.instances = wire.instances.unwrap_or(1);
    spec.ports =
        wire.ports.iter().map(|(name, port)| (name.clone(), reader.port(format!("ports.{name}"), *port))).collect();
    spec.schedule = wire.schedule.as_ref().map(|schedule| Box::new(timing::schedule_from_wire(schedule, &mut reader)));
    match &wire.restart {
        Some(restart) => spec.restart = restart::restart_from_wire(restart, &mut reader),
        // Each run of a schedule ends by itself.
        None if spec.schedule.is_some() => spec.restart.mode = RestartMode::Never,
        None => {}
    }
    if let Some(stop) = &wire.stop {
        spec.stop = stop::stop_from_wire(stop, &mut reader);
    }
    spec.readiness = wire.readiness.as_ref().and_then(|p| probe::probe_from_wire("readiness", p, &mut reader));
    spec.liveness = wire.liveness.as_ref().and_then(|p| probe::probe_from_wire("liveness", p, &mut reader));
    spec.notify_watchdog = reader.some_duration("watchdog", wire.notify_watchdog.as_ref());
    spec.log_file = non_empty(&wire.log_file);
    spec.log_watchdog = wire.log_watchdog.as_ref().map(|watchdog| LogWatchdog {
        log_file: non_empty(&watchdog.log_file),
        timeout: reader.duration("log_watchdog.timeout", watchdog.timeout.as_ref(), default::WATCHDOG_TIMEOUT),
        interval: reader.duration("log_watchdog.interval", watchdog.interval.as_ref(), default::WATCHDOG_INTERVAL),
    });
    spec.log_rules = logs::rules_from_wire(&wire.log_rules, &mut reader);
    spec.logs = wire.logs.as_ref().map(|logs| Box::new(logs::policy_from_wire(logs, &mut reader)));
    spec.execution = wire.execution.as_ref().map(|e| Box::new(execution::execution_from_wire(e, &mut reader)));
    spec.hooks = wire.hooks.as_ref().map(|hooks| Box::new(hook::hooks_from_wire(hooks, &mut reader)));
    spec.sockets = socket::sockets_from_wire(&wire.sockets, &mut reader);
    spec.limits = wire.limits.as_ref().map(|limits| Box::new(resources::limits_from_wire(limits, &mut reader)));
    spec.depends_on = timing::dependencies_from_wire(&wire.depends_on, &mut reader);
    spec.placement = wire
        .placement
        .as_ref()
        .map(|p| Box::new(placement::placement_from_wire(p, &mut reader)))
        .filter(|p| !p.is_empty());
    spec.update = wire.update.as_ref().map(|update| Box::new(placement::update_from_wire(update, &mut reader)));
    spec.singleton = wire.singleton.as_ref().map(|s| Box::new(placement::singleton_from_wire(s, &mut reader)));
    spec.labels = wire.labels.clone();
    spec.autostart = wire.autostart.unwrap_or(true);
    reader.faults.extend(spec.check());
    if reader.faults.is_empty() { Ok(spec) } else { Err(reader.faults) }
}

/// A spec for the wire.
#[must_use]
pub fn spec_to_wire(spec: &ProcessSpec) -> v1::ProcessSpec {
    v1::ProcessSpec {
        name: spec.name.to_string(),
        command: Some(match &spec.command {
            Command::Shell(line) => process_spec::Command::Shell(line.clone()),
            Command::Argv(args) => process_spec::Command::Argv(v1::Argv { args: args.clone() }),
        }),
        r#type: spec.runtime.as_str().to_owned(),
        working_dir: spec.working_dir.clone().unwrap_or_default(),
        env: spec.env.clone(),
        user: spec.user.clone().unwrap_or_default(),
        instances: Some(spec.instances),
        ports: spec.ports.iter().map(|(name, port)| (name.clone(), u32::from(*port))).collect(),
        restart: Some(restart::restart_to_wire(&spec.restart)),
        stop: Some(stop::stop_to_wire(&spec.stop)),
        readiness: spec.readiness.as_ref().map(probe::probe_to_wire),
        log_watchdog: spec.log_watchdog.as_ref().map(|watchdog| v1::LogWatchdog {
            log_file: watchdog.log_file.clone().unwrap_or_default(),
            timeout: Some(duration_to_wire(watchdog.timeout)),
            interval: Some(duration_to_wire(watchdog.interval)),
        }),
        labels: spec.labels.clone(),
        autostart: Some(spec.autostart),
        log_file: spec.log_file.clone().unwrap_or_default(),
        execution: spec.execution.as_deref().map(execution::execution_to_wire),
        hooks: spec.hooks.as_deref().map(hook::hooks_to_wire),
        sockets: spec.sockets.iter().map(socket::socket_to_wire).collect(),
        liveness: spec.liveness.as_ref().map(probe::probe_to_wire),
        notify_watchdog: spec.notify_watchdog.map(duration_to_wire),
        log_rules: spec.log_rules.iter().map(logs::rule_to_wire).collect(),
        logs: spec.logs.as_deref().map(logs::policy_to_wire),
        limits: spec.limits.as_deref().map(resources::limits_to_wire),
        depends_on: spec.depends_on.iter().map(timing::dependency_to_wire).collect(),
        schedule: spec.schedule.as_deref().map(timing::schedule_to_wire),
        placement: spec.placement.as_deref().map(placement::placement_to_wire),
        update: spec.update.as_deref().map(placement::update_to_wire),
        singleton: spec.singleton.as_deref().map(placement::singleton_to_wire),
    }
}
