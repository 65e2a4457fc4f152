//! The spec of one process, and the rules that hold for every one.

use super::{Check, Command, Fault, LogWatchdog, Probe, RestartPolicy, RuntimeType, StopPolicy, limits};
use crate::ProcessName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

/// What a user defines. Fields are public for reading and for building; a spec
/// that comes from outside goes through [`ProcessSpec::check`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProcessSpec {
    /// Unique name.
    pub name: ProcessName,
    /// What runs.
    pub command: Command,
    /// How this kind of application is run; the node knows what it means.
    pub runtime: RuntimeType,
    /// Absolute working directory; `None`: the runner's default.
    pub working_dir: Option<String>,
    /// Environment, over the manager's.
    pub env: BTreeMap<String, String>,
    /// User name or numeric id; `None`: the runner's own.
    pub user: Option<String>,
    /// Number of instances.
    pub instances: u32,
    /// Ports by name.
    pub ports: BTreeMap<String, u16>,
    /// When and how soon to restart.
    pub restart: RestartPolicy,
    /// How to stop.
    pub stop: StopPolicy,
    /// How to know that it is ready; `None`: once it runs.
    pub readiness: Option<Probe>,
    /// Absolute path of the file that output is appended to; `None`: one file
    /// for each instance and output, made by the runner.
    pub log_file: Option<String>,
    /// Log-activity watchdog.
    pub log_watchdog: Option<LogWatchdog>,
    /// Free labels.
    pub labels: BTreeMap<String, String>,
    /// Whether it is started as soon as it is defined.
    pub autostart: bool,
}

impl ProcessSpec {
    /// A spec with the defaults of everything but its name and command.
    #[must_use]
    pub fn new(name: ProcessName, command: Command) -> Self {
        let runtime = match command {
            Command::Shell(_) => RuntimeType::shell(),
            Command::Argv(_) => RuntimeType::exec(),
        };
        Self {
            name,
            command,
            runtime,
            working_dir: None,
            env: BTreeMap::new(),
            user: None,
            instances: 1,
            ports: BTreeMap::new(),
            restart: RestartPolicy::default(),
            stop: StopPolicy::default(),
            readiness: None,
            log_file: None,
            log_watchdog: None,
            labels: BTreeMap::new(),
            autostart: true,
        }
    }

    /// Every rule that the types alone do not keep. Returns all faults; none
    /// means that the spec is valid. Field names are those of the document
    /// form, relative to the process.
    #[must_use]
    pub fn check(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        self.check_command(&mut faults);
        self.check_environment(&mut faults);
        self.check_numbers(&mut faults);
        self.check_probe(&mut faults);
        self.check_logs(&mut faults);
        faults
    }

    fn check_command(&self, faults: &mut Vec<Fault>) {
        let words: Vec<&String> = match &self.command {
            Command::Shell(line) => vec![line],
            Command::Argv(args) => args.iter().collect(),
        };
        if words.first().is_none_or(|w| w.trim().is_empty()) {
            faults.push(Fault::new("command", "it is empty", "write the program to run"));
        }
        for word in words {
            check_text("command", word, limits::TEXT_BYTES, faults);
        }
        match (&self.command, self.runtime.as_str()) {
            (Command::Argv(_), RuntimeType::SHELL) => faults.push(Fault::new(
                "type",
                "shell does not go with a list of arguments",
                "write the command as one text, or type: exec",
            )),
            (Command::Shell(_), RuntimeType::EXEC) => faults.push(Fault::new(
                "type",
                "exec does not go with a command line",
                "write the command as a list, or type: shell",
            )),
            // Whether another type takes it is the node's to say.
            (Command::Shell(_) | Command::Argv(_), _) => {}
        }
        if let Some(dir) = &self.working_dir {
            check_path("working_dir", dir, faults);
        }
        if let Some(user) = &self.user {
            let bad = user.is_empty()
                || user.len() > 32
                || user.contains(|c: char| c.is_whitespace() || c == ':' || c == '/' || c.is_control());
            if bad {
                faults.push(Fault::new("user", format!("{user:?} is no user name"), "write a name or a numeric id"));
            }
        }
    }

    fn check_environment(&self, faults: &mut Vec<Fault>) {
        for (key, value) in &self.env {
            let field = format!("env.{key}");
            if key.is_empty() || key.contains(['=', '\0']) {
                faults.push(Fault::new(&field, "it is no variable name", "write a name without = and NUL"));
            } else if key.starts_with("PM_") {
                faults.push(Fault::new(
                    &field,
                    "names that begin with PM_ are the manager's own",
                    "choose another name",
                ));
            }
            check_text(&field, value, limits::TEXT_BYTES, faults);
        }
        for (name, port) in &self.ports {
            if *port == 0 {
                faults.push(Fault::new(format!("ports.{name}"), "0 is out of range", "write 1 to 65535"));
            }
        }
    }

    fn check_numbers(&self, faults: &mut Vec<Fault>) {
        let backoff = &self.restart.backoff;
        if !limits::INSTANCES.contains(&self.instances) {
            faults.push(Fault::new("instances", format!("{} is out of range", self.instances), "write 0 to 10000"));
        }
        if !limits::MAX_RESTARTS.contains(&self.restart.max_restarts) {
            let problem = format!("{} is out of range", self.restart.max_restarts);
            faults.push(Fault::new("restart.max_restarts", problem, "write 0 (no limit) to 1000000"));
        }
        check_duration("restart.backoff.initial", backoff.initial, &limits::BACKOFF, faults);
        check_duration("restart.backoff.max", backoff.max, &limits::BACKOFF, faults);
        check_number("restart.backoff.factor", backoff.factor, &limits::BACKOFF_FACTOR, faults);
        check_number("restart.backoff.jitter", backoff.jitter, &limits::BACKOFF_JITTER, faults);
        if backoff.max < backoff.initial {
            let problem = format!("{} is below initial", humantime::format_duration(backoff.max));
            faults.push(Fault::new("restart.backoff.max", problem, "write at least the initial delay"));
        }
        check_duration("restart.reset_after", self.restart.reset_after, &limits::RESET_AFTER, faults);
        check_duration("stop.timeout", self.stop.timeout, &limits::STOP_TIMEOUT, faults);
        check_duration("stop.kill_timeout", self.stop.kill_timeout, &limits::STOP_TIMEOUT, faults);
    }

    fn check_probe(&self, faults: &mut Vec<Fault>) {
        let Some(probe) = &self.readiness else { return };
        check_duration("readiness.initial_delay", probe.initial_delay, &limits::PROBE_INITIAL_DELAY, faults);
        check_duration("readiness.interval", probe.interval, &limits::PROBE_INTERVAL, faults);
        check_duration("readiness.timeout", probe.timeout, &limits::PROBE_TIMEOUT, faults);
        if !limits::PROBE_FAILURES.contains(&probe.failure_threshold) {
            let problem = format!("{} is out of range", probe.failure_threshold);
            faults.push(Fault::new("readiness.failure_threshold", problem, "write 1 to 1000"));
        }
        let (kind, port) = match &probe.check {
            Check::Http { port, path } => {
                if !path.starts_with('/') || path.contains(|c: char| c.is_whitespace() || c.is_control()) {
                    let problem = format!("{path:?} is no absolute path of a URL");
                    faults.push(Fault::new("readiness.http.path", problem, "begin with / and leave out spaces"));
                }
                ("http", *port)
            }
            Check::Tcp { port } => ("tcp", *port),
        };
        if port == 0 {
            faults.push(Fault::new(format!("readiness.{kind}.port"), "0 is out of range", "write 1 to 65535"));
        }
    }

    fn check_logs(&self, faults: &mut Vec<Fault>) {
        if let Some(file) = &self.log_file {
            check_path("log_file", file, faults);
            if self.instances > 1 {
                let problem = format!("{} instances would write to one file", self.instances);
                faults.push(Fault::new("log_file", problem, "leave it out, or write instances: 1"));
            }
        }
        let Some(watchdog) = &self.log_watchdog else { return };
        if let Some(file) = &watchdog.log_file {
            check_path("log_watchdog.log_file", file, faults);
        }
        check_duration("log_watchdog.timeout", watchdog.timeout, &limits::WATCHDOG_TIMEOUT, faults);
        check_duration("log_watchdog.interval", watchdog.interval, &limits::WATCHDOG_INTERVAL, faults);
    }
}

fn check_text(field: &str, text: &str, max: usize, faults: &mut Vec<Fault>) {
    if text.contains('\0') {
        faults.push(Fault::new(field, "it contains a NUL character", "leave it out"));
    }
    if text.len() > max {
        faults.push(Fault::new(field, format!("it has {} bytes", text.len()), format!("write at most {max}")));
    }
}

fn check_path(field: &str, path: &str, faults: &mut Vec<Fault>) {
    check_text(field, path, limits::PATH_BYTES, faults);
    if !path.starts_with('/') {
        faults.push(Fault::new(field, format!("{path:?} is no absolute path"), "begin with /"));
    }
}

fn check_duration(field: &str, value: Duration, range: &RangeInclusive<Duration>, faults: &mut Vec<Fault>) {
    if !range.contains(&value) {
        let show = humantime::format_duration;
        let fix = format!("write {} to {}", show(*range.start()), show(*range.end()));
        faults.push(Fault::new(field, format!("{} is out of range", show(value)), fix));
    }
}

fn check_number(field: &str, value: f64, range: &RangeInclusive<f64>, faults: &mut Vec<Fault>) {
    if !range.contains(&value) {
        let fix = format!("write {} to {}", range.start(), range.end());
        faults.push(Fault::new(field, format!("{value} is out of range"), fix));
    }
}
