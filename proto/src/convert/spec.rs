//! Process specs. A spec from the wire is checked as a whole: all its faults
//! come back together.

use super::{duration_from_wire, duration_to_wire};
use crate::v1;
use process_model::ProcessSpec;
use process_model::spec::{
    Backoff, Check, Command, Fault, LogWatchdog, Probe, RestartMode, RestartPolicy, RuntimeType, StopPolicy, limits,
};
use std::time::Duration;

fn non_empty(text: &str) -> Option<String> {
    (!text.is_empty()).then(|| text.to_owned())
}

/// Collects faults while it reads; a faulty field gets a stand-in so that the
/// rest is read too.
struct Reader {
    faults: Vec<Fault>,
}

impl Reader {
    fn fault(&mut self, field: &str, problem: impl Into<String>, fix: &str) {
        self.faults.push(Fault::new(field, problem, fix));
    }

    fn duration(&mut self, field: &'static str, value: Option<&prost_types::Duration>, absent: Duration) -> Duration {
        match value.map(|v| duration_from_wire(field, v)) {
            None => absent,
            Some(Ok(duration)) => duration,
            Some(Err(e)) => {
                self.fault(field, e.problem, "write a duration that is not negative");
                absent
            }
        }
    }

    fn port(&mut self, field: &str, value: u32) -> u16 {
        match u16::try_from(value) {
            Ok(port) if port > 0 => port,
            Ok(_) | Err(_) => {
                self.fault(field, format!("{value} is out of range"), "write 1 to 65535");
                1
            }
        }
    }
}

/// Reads and checks a spec.
///
/// # Errors
/// Everything that is wrong with it, field by field.
pub fn spec_from_wire(wire: &v1::ProcessSpec) -> Result<ProcessSpec, Vec<Fault>> {
    let mut reader = Reader { faults: Vec::new() };
    let name = match wire.name.parse() {
        Ok(name) => Some(name),
        Err(e) => {
            let e: process_model::InvalidName = e;
            reader.fault(
                "name",
                format!("{:?}: {}", e.value, e.fault),
                "write 1 to 63 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
            );
            None
        }
    };
    let command = match &wire.command {
        Some(v1::process_spec::Command::Shell(line)) => Command::Shell(line.clone()),
        Some(v1::process_spec::Command::Argv(argv)) => Command::Argv(argv.args.clone()),
        None => {
            reader.fault("command", "it is missing", "write the program to run");
            Command::Shell(":".to_owned())
        }
    };
    // The stand-in name is never returned: a fault was recorded with it.
    let Some(name) = name.or_else(|| "x".parse().ok()) else { return Err(reader.faults) };
    let mut spec = ProcessSpec::new(name, command);
    if let Some(text) = non_empty(&wire.r#type) {
        match text.parse::<RuntimeType>() {
            Ok(runtime) => spec.runtime = runtime,
            Err(e) => reader.fault(
                "type",
                format!("{:?}: {}", e.value, e.fault),
                "write 1 to 63 of A-Z a-z 0-9 . _ -, beginning with a letter or digit",
            ),
        }
    }
    spec.working_dir = non_empty(&wire.working_dir);
    spec.env = wire.env.clone();
    spec.user = non_empty(&wire.user);
    spec.instances = wire.instances.unwrap_or(1);
    spec.ports =
        wire.ports.iter().map(|(name, port)| (name.clone(), reader.port(&format!("ports.{name}"), *port))).collect();
    if let Some(restart) = &wire.restart {
        spec.restart = restart_from_wire(restart, &mut reader);
    }
    if let Some(stop) = &wire.stop {
        spec.stop = stop_from_wire(stop, &mut reader);
    }
    spec.readiness = wire.readiness.as_ref().and_then(|probe| probe_from_wire(probe, &mut reader));
    spec.log_file = non_empty(&wire.log_file);
    spec.log_watchdog = wire.log_watchdog.as_ref().map(|watchdog| LogWatchdog {
        log_file: non_empty(&watchdog.log_file),
        timeout: reader.duration("log_watchdog.timeout", watchdog.timeout.as_ref(), limits::default::WATCHDOG_TIMEOUT),
        interval: reader.duration(
            "log_watchdog.interval",
            watchdog.interval.as_ref(),
            limits::default::WATCHDOG_INTERVAL,
        ),
    });
    spec.labels = wire.labels.clone();
    spec.autostart = wire.autostart.unwrap_or(true);
    reader.faults.extend(spec.check());
    if reader.faults.is_empty() { Ok(spec) } else { Err(reader.faults) }
}

fn restart_from_wire(wire: &v1::RestartPolicy, reader: &mut Reader) -> RestartPolicy {
    let mode = match wire.mode() {
        v1::RestartMode::Always => RestartMode::Always,
        v1::RestartMode::OnFailure => RestartMode::OnFailure,
        v1::RestartMode::Never => RestartMode::Never,
        v1::RestartMode::Unspecified => {
            reader.fault("restart.mode", "it is missing or unknown", "write always, on-failure or never");
            RestartMode::Always
        }
    };
    let backoff = wire.backoff.as_ref().map_or_else(Backoff::default, |b| Backoff {
        initial: reader.duration("restart.backoff.initial", b.initial.as_ref(), limits::default::BACKOFF_INITIAL),
        factor: b.factor.unwrap_or(limits::default::BACKOFF_FACTOR),
        max: reader.duration("restart.backoff.max", b.max.as_ref(), limits::default::BACKOFF_MAX),
        jitter: b.jitter.unwrap_or(limits::default::BACKOFF_JITTER),
    });
    RestartPolicy {
        mode,
        backoff,
        max_restarts: wire.max_restarts,
        reset_after: reader.duration("restart.reset_after", wire.reset_after.as_ref(), limits::default::RESET_AFTER),
    }
}

fn stop_from_wire(wire: &v1::StopPolicy, reader: &mut Reader) -> StopPolicy {
    let mut stop = StopPolicy::default();
    if !wire.signal.is_empty() {
        match wire.signal.parse() {
            Ok(signal) => stop.signal = signal,
            Err(e) => reader.fault("stop.signal", e, "write another"),
        }
    }
    stop.timeout = reader.duration("stop.timeout", wire.timeout.as_ref(), stop.timeout);
    stop.kill_timeout = reader.duration("stop.kill_timeout", wire.kill_timeout.as_ref(), stop.kill_timeout);
    stop
}

fn probe_from_wire(wire: &v1::Probe, reader: &mut Reader) -> Option<Probe> {
    let check = match &wire.check {
        Some(v1::probe::Check::Http(http)) => {
            Check::Http { port: reader.port("readiness.http.port", http.port), path: http.path.clone() }
        }
        Some(v1::probe::Check::Tcp(tcp)) => Check::Tcp { port: reader.port("readiness.tcp.port", tcp.port) },
        None => {
            reader.fault("readiness", "it says not what to check", "write http or tcp");
            return None;
        }
    };
    let mut probe = Probe::new(check);
    probe.initial_delay = reader.duration("readiness.initial_delay", wire.initial_delay.as_ref(), probe.initial_delay);
    probe.interval = reader.duration("readiness.interval", wire.interval.as_ref(), probe.interval);
    probe.timeout = reader.duration("readiness.timeout", wire.timeout.as_ref(), probe.timeout);
    if wire.failure_threshold != 0 {
        probe.failure_threshold = wire.failure_threshold;
    }
    Some(probe)
}

/// A spec for the wire.
#[must_use]
pub fn spec_to_wire(spec: &ProcessSpec) -> v1::ProcessSpec {
    v1::ProcessSpec {
        name: spec.name.to_string(),
        command: Some(match &spec.command {
            Command::Shell(line) => v1::process_spec::Command::Shell(line.clone()),
            Command::Argv(args) => v1::process_spec::Command::Argv(v1::Argv { args: args.clone() }),
        }),
        r#type: spec.runtime.as_str().to_owned(),
        working_dir: spec.working_dir.clone().unwrap_or_default(),
        env: spec.env.clone(),
        user: spec.user.clone().unwrap_or_default(),
        instances: Some(spec.instances),
        ports: spec.ports.iter().map(|(name, port)| (name.clone(), u32::from(*port))).collect(),
        restart: Some(restart_to_wire(&spec.restart)),
        stop: Some(v1::StopPolicy {
            signal: spec.stop.signal.to_string(),
            timeout: Some(duration_to_wire(spec.stop.timeout)),
            kill_timeout: Some(duration_to_wire(spec.stop.kill_timeout)),
        }),
        readiness: spec.readiness.as_ref().map(probe_to_wire),
        log_watchdog: spec.log_watchdog.as_ref().map(|watchdog| v1::LogWatchdog {
            log_file: watchdog.log_file.clone().unwrap_or_default(),
            timeout: Some(duration_to_wire(watchdog.timeout)),
            interval: Some(duration_to_wire(watchdog.interval)),
        }),
        labels: spec.labels.clone(),
        autostart: Some(spec.autostart),
        log_file: spec.log_file.clone().unwrap_or_default(),
    }
}

fn restart_to_wire(restart: &RestartPolicy) -> v1::RestartPolicy {
    let mode = match restart.mode {
        RestartMode::Always => v1::RestartMode::Always,
        RestartMode::OnFailure => v1::RestartMode::OnFailure,
        RestartMode::Never => v1::RestartMode::Never,
    };
    v1::RestartPolicy {
        mode: mode.into(),
        backoff: Some(v1::Backoff {
            initial: Some(duration_to_wire(restart.backoff.initial)),
            factor: Some(restart.backoff.factor),
            max: Some(duration_to_wire(restart.backoff.max)),
            jitter: Some(restart.backoff.jitter),
        }),
        max_restarts: restart.max_restarts,
        reset_after: Some(duration_to_wire(restart.reset_after)),
    }
}

fn probe_to_wire(probe: &Probe) -> v1::Probe {
    v1::Probe {
        check: Some(match &probe.check {
            Check::Http { port, path } => {
                v1::probe::Check::Http(v1::HttpCheck { port: u32::from(*port), path: path.clone() })
            }
            Check::Tcp { port } => v1::probe::Check::Tcp(v1::TcpCheck { port: u32::from(*port) }),
        }),
        initial_delay: Some(duration_to_wire(probe.initial_delay)),
        interval: Some(duration_to_wire(probe.interval)),
        timeout: Some(duration_to_wire(probe.timeout)),
        failure_threshold: probe.failure_threshold,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire() -> v1::ProcessSpec {
        let mut spec = ProcessSpec::new("web".parse().unwrap(), Command::Argv(vec!["/bin/web".into(), "-p".into()]));
        spec.env.insert("A".into(), "b".into());
        spec.user = Some("www".into());
        spec.ports.insert("http".into(), 8080);
        spec.readiness = Some(Probe::new(Check::Http { port: 8080, path: "/health".into() }));
        spec.log_watchdog = Some(LogWatchdog::new(Some("/tmp/x.log".into())));
        spec.working_dir = Some("/srv".into());
        spec_to_wire(&spec)
    }

    #[test]
    fn a_spec_survives_the_wire_unchanged() {
        let spec = spec_from_wire(&wire()).unwrap();
        assert_eq!(spec_to_wire(&spec), wire());
    }

    #[test]
    fn what_is_absent_has_its_default() {
        let wire = v1::ProcessSpec {
            name: "web".into(),
            command: Some(v1::process_spec::Command::Shell("run".into())),
            ..v1::ProcessSpec::default()
        };
        let spec = spec_from_wire(&wire).unwrap();
        assert_eq!(spec, ProcessSpec::new("web".parse().unwrap(), Command::Shell("run".into())));
    }

    #[test]
    fn every_fault_of_a_spec_comes_back_with_its_field() {
        let mut bad = wire();
        bad.name = "../etc".into();
        bad.command = None;
        bad.r#type = "../cobol".into();
        bad.working_dir = "srv".into();
        bad.instances = Some(99_999);
        bad.ports.insert("http".into(), 70_000);
        bad.restart = Some(v1::RestartPolicy::default());
        bad.stop = Some(v1::StopPolicy { signal: "SIGFOO".into(), ..Default::default() });
        bad.readiness = Some(v1::Probe::default());
        bad.log_watchdog = Some(v1::LogWatchdog {
            log_file: String::new(),
            timeout: Some(prost_types::Duration { seconds: 4000, nanos: 0 }),
            interval: Some(prost_types::Duration { seconds: -1, nanos: 0 }),
        });
        let mut fields: Vec<String> = spec_from_wire(&bad).unwrap_err().into_iter().map(|f| f.field).collect();
        fields.sort();
        fields.dedup();
        let expected = [
            "command",
            "instances",
            "log_watchdog.interval",
            "log_watchdog.timeout",
            "name",
            "ports.http",
            "readiness",
            "restart.mode",
            "stop.signal",
            "type",
            "working_dir",
        ];
        assert_eq!(fields, expected);
    }
}
