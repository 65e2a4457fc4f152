//! A process, and an entry of the list form.

use super::{execution, field, group, life, logs, order, placement, probe, restart};
use crate::document::field::{Field, Group, Preset, Shape};
use crate::spec::limits::{self, default};
use crate::spec::{RestartMode, RuntimeType};

fn types() -> Vec<&'static str> {
    RuntimeType::BUILT_IN.to_vec()
}

pub(super) fn policies() -> Vec<&'static str> {
    RestartMode::ALL.iter().map(|mode| mode.as_str()).collect()
}

/// A process of the map form.
pub(in crate::document) static PROCESS: Group = group(
    "process",
    "a process",
    &[WHAT, execution::FIELDS, WHEN, probe::FIELDS, logs::FIELDS, placement::FIELDS, REST],
);

/// An entry of the list form.
pub(in crate::document) static LIST_ENTRY: Group = group(
    "listEntry",
    "an entry of processes",
    &[LIST_FIELDS, WHAT, execution::FIELDS, WHEN, probe::FIELDS, logs::FIELDS, placement::FIELDS, REST],
);

const WHAT: &[Field] = &[
    field(
        "command",
        Shape::Command,
        Preset::Required,
        r#"["python3", "-m", "http.server", "8080"]"#,
        "What runs. A text is a command line for /bin/sh, with pipes, redirections and &&; a list is a program and its arguments, run without a shell.",
    ),
    field(
        "type",
        Shape::KnownName(types),
        Preset::Absent,
        r#""exec""#,
        "How the application is run: one of these types, or one that the node's own files define. Left out: shell for a command that is a text, exec for a list. python takes the application's own virtual environment when there is one; node runs a file, or a script of package.json.",
    ),
    field(
        "working_dir",
        Shape::Path,
        Preset::Absent,
        r#""/srv/web""#,
        "Working directory. A relative path starts from the folder of the file. Left out: the folder of the file.",
    ),
    field(
        "env",
        Shape::TextMap,
        Preset::Absent,
        r#"{"LANG": "C.UTF-8", "WORKERS": 4}"#,
        "Environment variables. Numbers and booleans are taken as they are written. Names that begin with PM_ are the manager's own.",
    ),
    field(
        "env_files",
        Shape::OptionalPaths,
        Preset::Absent,
        r#"["/etc/default/web", "-web.env"]"#,
        "Files of NAME=VALUE lines, read on the node at each start, in order; env overrides them. A path after - may be missing.",
    ),
    field(
        "user",
        Shape::Literal,
        Preset::Absent,
        r#""www-data""#,
        "User name or numeric id to run as. Left out: the runner's own user.",
    ),
];

const WHEN: &[Field] = &[
    field(
        "instances",
        Shape::Integer(limits::INSTANCES),
        Preset::Integer(1),
        "2",
        "Number of instances: NAME-1 to NAME-N.",
    ),
    field(
        "ports",
        Shape::Ports,
        Preset::Absent,
        r#"{"http": 8080}"#,
        "Ports that the program listens on, by name; or a list of ports, which are then named port, port-2, port-3 and so on.",
    ),
    field(
        "sockets",
        Shape::Sockets(&execution::SOCKET),
        Preset::Absent,
        r#"{"http": "127.0.0.1:8080"}"#,
        "Listening sockets by name, opened before the program and kept open between its runs, passed as sd_listen_fds(3) says. With at most one instance.",
    ),
    field(
        "depends_on",
        Shape::Dependencies(order::words, &order::DEPENDENCY),
        Preset::Absent,
        r#"{"db": "ready"}"#,
        "Processes that come first, on whatever node: a name, a list of names (which have to be ready), or a map from name to a condition.",
    ),
    field(
        "schedule",
        Shape::TextOrGroup(&order::SCHEDULE),
        Preset::Absent,
        r#""30 2 * * *""#,
        "When it runs: a cron expression, or a map. Left out: all the time.",
    ),
    field(
        "hooks",
        Shape::Group(&life::HOOKS),
        Preset::Absent,
        r#"{"pre_start": "./migrate.sh"}"#,
        "Commands around the life of an instance.",
    ),
    field(
        "restart",
        Shape::WordOrGroup(policies, &restart::RESTART),
        Preset::Text("always"),
        r#"{"policy": "on-failure", "max_restarts": 10}"#,
        "When and how soon an ended instance is started again: a policy, or a map of it and its numbers. With a schedule the default is never.",
    ),
    field(
        "stop",
        Shape::Group(&life::STOP),
        Preset::Absent,
        r#"{"signal": "SIGINT", "timeout": "10s"}"#,
        "How an instance is stopped: signal, wait, SIGKILL to the whole process tree, wait; or steps of your own before the SIGKILL.",
    ),
];

const REST: &[Field] = &[
    field(
        "limits",
        Shape::Group(&execution::LIMITS),
        Preset::Absent,
        r#"{"memory": "512MiB", "cpu": 0.5}"#,
        "What one instance's whole process tree may use, by cgroup. A node that cannot enforce it says so and observes.",
    ),
    field("labels", Shape::TextMap, Preset::Absent, r#"{"team": "shop"}"#, "Free labels, for selection and display."),
    field("autostart", Shape::Flag, Preset::Flag(true), "false", "Whether it is started as soon as it is defined."),
];

/// What the list form has beside the fields of a process (S2.3).
const LIST_FIELDS: &[Field] = &[
    field("name", Shape::Name, Preset::Required, r#""web""#, "Name of the process, once in a file."),
    field(
        "timeout",
        Shape::Duration(limits::WATCHDOG_TIMEOUT),
        Preset::Duration(default::WATCHDOG_TIMEOUT),
        "60",
        "Short for log_watchdog.timeout: silence of log_file that leads to a restart.",
    ),
    field(
        "interval",
        Shape::Duration(limits::WATCHDOG_INTERVAL),
        Preset::Duration(default::WATCHDOG_INTERVAL),
        "5",
        "Short for log_watchdog.interval: time between looks at log_file.",
    ),
];
