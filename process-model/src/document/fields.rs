//! The table of every field of a process file. Reader, JSON Schema and tests
//! take names, kinds, ranges, defaults and examples from here.

use super::field::{Field, Group, Preset, Shape};
use crate::spec::limits::{self, default};
use crate::spec::{RestartMode, RuntimeType};

const fn field(name: &'static str, shape: Shape, default: Preset, example: &'static str, about: &'static str) -> Field {
    Field { name, shape, default, example, about }
}

fn types() -> Vec<&'static str> {
    RuntimeType::BUILT_IN.to_vec()
}

fn policies() -> Vec<&'static str> {
    RestartMode::ALL.iter().map(|mode| mode.as_str()).collect()
}

/// The file.
pub(super) static ROOT: Group = Group { id: "document", noun: "a process file", parts: &[ROOT_FIELDS], one_of: &[] };

const ROOT_FIELDS: &[Field] = &[
    field("version", Shape::Integer(1..=1), Preset::Integer(1), "1", "Version of the form."),
    field(
        "env",
        Shape::TextMap,
        Preset::Absent,
        r#"{"TZ": "UTC"}"#,
        "Environment of every process of the file. A process's own `env` overrides it, name by name.",
    ),
    field(
        "processes",
        Shape::Processes,
        Preset::Required,
        r#"{"web": {"command": "python3 -m http.server 8080"}}"#,
        "The processes: a map from name to fields, or a list whose entries have a `name`.",
    ),
];

/// A process of the map form.
pub(super) static PROCESS: Group = Group { id: "process", noun: "a process", parts: &[PROCESS_FIELDS], one_of: &[] };

/// An entry of the list form.
pub(super) static LIST_ENTRY: Group =
    Group { id: "listEntry", noun: "an entry of processes", parts: &[LIST_FIELDS, PROCESS_FIELDS], one_of: &[] };

const PROCESS_FIELDS: &[Field] = &[
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
        "user",
        Shape::Literal,
        Preset::Absent,
        r#""www-data""#,
        "User name or numeric id to run as. Left out: the runner's own user.",
    ),
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
        "restart",
        Shape::WordOrGroup(policies, &RESTART),
        Preset::Text("always"),
        r#"{"policy": "on-failure", "max_restarts": 10}"#,
        "When and how soon an ended instance is started again: a policy, or a map of it and its numbers.",
    ),
    field(
        "stop",
        Shape::Group(&STOP),
        Preset::Absent,
        r#"{"signal": "SIGINT", "timeout": "10s"}"#,
        "How an instance is stopped: signal, wait, SIGKILL to the whole process tree, wait.",
    ),
    field(
        "readiness",
        Shape::Group(&READINESS),
        Preset::Absent,
        r#"{"http": {"port": 8080, "path": "/health"}}"#,
        "How an instance is known to be ready. Left out: it is ready once it runs.",
    ),
    field(
        "log_file",
        Shape::Path,
        Preset::Absent,
        r#""/var/log/web.log""#,
        "File that standard output and standard error are appended to. Left out: files of the runner, one for each instance and output.",
    ),
    field(
        "log_watchdog",
        Shape::Group(&LOG_WATCHDOG),
        Preset::Absent,
        r#"{"timeout": "2m"}"#,
        "Restarts an instance whose log file shows no activity. Left out: silence is no fault.",
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

/// `restart` as a map.
pub(super) static RESTART: Group = Group {
    id: "restart",
    noun: "restart",
    parts: &[&[
        field(
            "policy",
            Shape::Word(policies),
            Preset::Text("always"),
            r#""on-failure""#,
            "always: however the program ended; on-failure: unless it ended with exit code 0; never.",
        ),
        field(
            "backoff",
            Shape::Group(&BACKOFF),
            Preset::Absent,
            r#"{"initial": "1s", "max": "1m"}"#,
            "Delays before restarts: each is the one before times a factor.",
        ),
        field(
            "max_restarts",
            Shape::Integer(limits::MAX_RESTARTS),
            Preset::Integer(default::MAX_RESTARTS),
            "10",
            "Restarts in a row before the instance is failed; 0 is no limit.",
        ),
        field(
            "reset_after",
            Shape::Duration(limits::RESET_AFTER),
            Preset::Duration(default::RESET_AFTER),
            r#""5m""#,
            "Running this long sets delay and count back.",
        ),
    ]],
    one_of: &[],
};

/// `restart.backoff`.
pub(super) static BACKOFF: Group = Group {
    id: "backoff",
    noun: "backoff",
    parts: &[&[
        field(
            "initial",
            Shape::Duration(limits::BACKOFF),
            Preset::Duration(default::BACKOFF_INITIAL),
            r#""500ms""#,
            "First delay; 0 restarts at once.",
        ),
        field(
            "factor",
            Shape::Number(limits::BACKOFF_FACTOR),
            Preset::Number(default::BACKOFF_FACTOR),
            "1.5",
            "Multiplier of each further delay.",
        ),
        field(
            "max",
            Shape::Duration(limits::BACKOFF),
            Preset::Duration(default::BACKOFF_MAX),
            r#""30s""#,
            "Longest delay; at least the first one.",
        ),
        field(
            "jitter",
            Shape::Number(limits::BACKOFF_JITTER),
            Preset::Number(default::BACKOFF_JITTER),
            "0.2",
            "Random share of a delay, so that instances which failed together do not return together.",
        ),
    ]],
    one_of: &[],
};

/// `stop`.
pub(super) static STOP: Group = Group {
    id: "stop",
    noun: "stop",
    parts: &[&[
        field(
            "signal",
            Shape::Signal,
            Preset::Text("SIGTERM"),
            r#""SIGINT""#,
            "Signal that asks the program to end, by name or number.",
        ),
        field(
            "timeout",
            Shape::Duration(limits::STOP_TIMEOUT),
            Preset::Duration(default::STOP_TIMEOUT),
            r#""10s""#,
            "Wait after the signal before SIGKILL.",
        ),
        field(
            "kill_timeout",
            Shape::Duration(limits::STOP_TIMEOUT),
            Preset::Duration(default::KILL_TIMEOUT),
            r#""2s""#,
            "Wait after SIGKILL before the stop counts as failed.",
        ),
    ]],
    one_of: &[],
};

/// `readiness`.
pub(super) static READINESS: Group = Group {
    id: "readiness",
    noun: "readiness",
    parts: &[&[
        field(
            "http",
            Shape::Group(&HTTP),
            Preset::Absent,
            r#"{"port": 8080, "path": "/health"}"#,
            "An HTTP GET on 127.0.0.1; a status of 200 to 399 is success.",
        ),
        field("tcp", Shape::Group(&TCP), Preset::Absent, r#"{"port": 5432}"#, "A TCP connection to 127.0.0.1."),
        field(
            "initial_delay",
            Shape::Duration(limits::PROBE_INITIAL_DELAY),
            Preset::Duration(std::time::Duration::ZERO),
            r#""1s""#,
            "Wait before the first probe.",
        ),
        field(
            "interval",
            Shape::Duration(limits::PROBE_INTERVAL),
            Preset::Duration(default::PROBE_INTERVAL),
            r#""500ms""#,
            "Time from one probe to the next.",
        ),
        field(
            "timeout",
            Shape::Duration(limits::PROBE_TIMEOUT),
            Preset::Duration(default::PROBE_TIMEOUT),
            r#""2s""#,
            "Longest wait for an answer.",
        ),
        field(
            "failure_threshold",
            Shape::Integer(limits::PROBE_FAILURES),
            Preset::Integer(default::PROBE_FAILURES),
            "5",
            "Failures in a row that make a ready instance unready.",
        ),
    ]],
    one_of: &["http", "tcp"],
};

/// `readiness.http`.
pub(super) static HTTP: Group = Group {
    id: "httpCheck",
    noun: "http",
    parts: &[&[
        field("port", Shape::PortOrName, Preset::Required, "8080", "Port, or the name of one of the process's ports."),
        field("path", Shape::Text, Preset::Text("/"), r#""/health""#, "Absolute path of the URL."),
    ]],
    one_of: &[],
};

/// `readiness.tcp`.
pub(super) static TCP: Group = Group {
    id: "tcpCheck",
    noun: "tcp",
    parts: &[&[field(
        "port",
        Shape::PortOrName,
        Preset::Required,
        "5432",
        "Port, or the name of one of the process's ports.",
    )]],
    one_of: &[],
};

/// `log_watchdog`.
pub(super) static LOG_WATCHDOG: Group = Group {
    id: "logWatchdog",
    noun: "log_watchdog",
    parts: &[&[
        field(
            "log_file",
            Shape::Path,
            Preset::Absent,
            r#""/var/log/web.log""#,
            "File that is watched; made when missing. Left out: the process's own output.",
        ),
        field(
            "timeout",
            Shape::Duration(limits::WATCHDOG_TIMEOUT),
            Preset::Duration(default::WATCHDOG_TIMEOUT),
            r#""2m""#,
            "Silence that leads to a restart.",
        ),
        field(
            "interval",
            Shape::Duration(limits::WATCHDOG_INTERVAL),
            Preset::Duration(default::WATCHDOG_INTERVAL),
            r#""10s""#,
            "Time between looks at the file.",
        ),
    ]],
    one_of: &[],
};
