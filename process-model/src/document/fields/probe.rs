//! How an instance is known to be ready, and to be alive.

use super::{field, group};
use crate::document::field::{Choice, Field, Group, Preset, Shape};
use crate::spec::limits::{self, default};

pub(super) const FIELDS: &[Field] = &[
    field(
        "readiness",
        Shape::Group(&READINESS),
        Preset::Absent,
        r#"{"http": {"port": 8080, "path": "/health"}}"#,
        "How an instance is known to be ready. Left out: it is ready once it runs.",
    ),
    field(
        "liveness",
        Shape::Group(&LIVENESS),
        Preset::Absent,
        r#"{"tcp": {"port": 8080}, "interval": "10s"}"#,
        "How an instance is known to be alive; what is not is restarted. Left out: while its main process is there.",
    ),
    field(
        "watchdog",
        Shape::Duration(limits::NOTIFY_WATCHDOG),
        Preset::Absent,
        r#""30s""#,
        "Longest time between two WATCHDOG=1 that the program sends to NOTIFY_SOCKET (sd_notify(3)); what is silent for longer is restarted.",
    ),
];

/// `readiness`.
static READINESS: Group = Group {
    choice: Choice::One(&["http", "tcp", "exec", "grpc", "notify", "log"]),
    ..group(
        "readiness",
        "readiness",
        &[
            CHECKS,
            ONCE,
            TIMES,
            &[field(
                "success_threshold",
                Shape::Integer(limits::PROBE_SUCCESSES),
                Preset::Integer(1),
                "2",
                "Successes in a row that make an instance ready.",
            )],
        ],
    )
};

/// `liveness`.
static LIVENESS: Group =
    Group { choice: Choice::One(&["http", "tcp", "exec", "grpc"]), ..group("liveness", "liveness", &[CHECKS, TIMES]) };

const CHECKS: &[Field] = &[
    field(
        "http",
        Shape::Group(&HTTP),
        Preset::Absent,
        r#"{"port": 8080, "path": "/health"}"#,
        "An HTTP request to 127.0.0.1.",
    ),
    field("tcp", Shape::Group(&TCP), Preset::Absent, r#"{"port": 5432}"#, "A TCP connection to 127.0.0.1."),
    field(
        "exec",
        Shape::CommandOrGroup(&EXEC),
        Preset::Absent,
        r#"["pg_isready", "-q"]"#,
        "A command with the user, environment and working directory of the program; exit code 0 is success.",
    ),
    field(
        "grpc",
        Shape::Group(&GRPC),
        Preset::Absent,
        r#"{"port": 50051}"#,
        "grpc.health.v1.Health/Check on 127.0.0.1, without TLS; SERVING is success.",
    ),
];

const ONCE: &[Field] = &[
    field(
        "notify",
        Shape::Yes,
        Preset::Absent,
        "true",
        "The program sends READY=1 to NOTIFY_SOCKET (sd_notify(3)). The times have no meaning.",
    ),
    field(
        "log",
        Shape::Pattern,
        Preset::Absent,
        r#""listening on port [0-9]+""#,
        "A line of the output of this run has this regular expression. The times have no meaning.",
    ),
];

const TIMES: &[Field] = &[
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
        "Time from one probe to the next; there is never more than one at a time.",
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
        "Failures in a row that make a ready instance unready, or one that lives dead.",
    ),
];

const fn port(example: &'static str) -> Field {
    field("port", Shape::PortOrName, Preset::Required, example, "Port, or the name of one of the process's ports.")
}

/// `http` of a probe.
static HTTP: Group = group(
    "httpCheck",
    "http",
    &[&[
        port("8080"),
        field("path", Shape::Text, Preset::Text("/"), r#""/health""#, "Absolute path of the URL."),
        field("method", Shape::Text, Preset::Text("GET"), r#""HEAD""#, "Method, in capitals."),
        field(
            "headers",
            Shape::TextMap,
            Preset::Absent,
            r#"{"Host": "shop.example"}"#,
            "Headers of the request, over the probe's own.",
        ),
        field(
            "status",
            Shape::Statuses,
            Preset::Text("200-399"),
            r#"["200-299", 404]"#,
            "Status codes that are success: one, a range, or a list of both.",
        ),
        field(
            "body",
            Shape::Pattern,
            Preset::Absent,
            r#""\"status\": *\"up\"""#,
            "Regular expression that the first 64 KiB of the body have to have.",
        ),
    ]],
);

/// `tcp` of a probe.
static TCP: Group = group("tcpCheck", "tcp", &[&[port("5432")]]);

/// `exec` of a probe, as a map.
pub(super) static EXEC: Group = group(
    "execCheck",
    "exec",
    &[&[field("command", Shape::Command, Preset::Required, r#"["pg_isready", "-q"]"#, "What runs.")]],
);

/// `grpc` of a probe.
static GRPC: Group = group(
    "grpcCheck",
    "grpc",
    &[&[
        port("50051"),
        field(
            "service",
            Shape::Text,
            Preset::Absent,
            r#""shop.v1.OrderService""#,
            "Service that is asked about. Left out: the server as a whole.",
        ),
    ]],
);
