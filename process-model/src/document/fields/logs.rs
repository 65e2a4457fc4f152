//! Output: where it goes, what becomes of it, what follows from it.

use super::{field, group};
use crate::document::field::{Field, Group, Preset, Shape};
use crate::spec::limits::{self, default};
use crate::spec::{Compression, LogAction, LogFormat, WhenFull};

fn compressions() -> Vec<&'static str> {
    Compression::ALL.iter().map(|way| way.as_str()).collect()
}

fn formats() -> Vec<&'static str> {
    LogFormat::ALL.iter().map(|format| format.as_str()).collect()
}

fn fulls() -> Vec<&'static str> {
    WhenFull::ALL.iter().map(|way| way.as_str()).collect()
}

fn actions() -> Vec<&'static str> {
    LogAction::ALL.iter().map(|action| action.as_str()).collect()
}

pub(super) const FIELDS: &[Field] = &[
    field(
        "log_file",
        Shape::Path,
        Preset::Absent,
        r#""/var/log/web.log""#,
        "File that standard output and standard error are appended to. Left out: files of the runner, one for each instance and output.",
    ),
    field(
        "logs",
        Shape::Group(&LOGS),
        Preset::Absent,
        r#"{"max_size": "16MiB", "retention": "30days"}"#,
        "How output is kept. Left out: the defaults of these fields; but a log_file is only appended to.",
    ),
    field(
        "log_watchdog",
        Shape::Group(&LOG_WATCHDOG),
        Preset::Absent,
        r#"{"timeout": "2m"}"#,
        "Restarts an instance whose log file shows no activity. Left out: silence is no fault.",
    ),
    field(
        "log_rules",
        Shape::Groups(&LOG_RULE),
        Preset::Absent,
        r#"[{"name": "no-memory", "pattern": "OutOfMemoryError", "action": "restart"}]"#,
        "What lines of the output lead to.",
    ),
];

/// `log_watchdog`.
static LOG_WATCHDOG: Group = group(
    "logWatchdog",
    "log_watchdog",
    &[&[
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
);

/// `logs`.
static LOGS: Group = group(
    "logs",
    "logs",
    &[&[
        field(
            "max_size",
            Shape::Size(limits::LOG_MAX_SIZE),
            Preset::Size(default::LOG_MAX_SIZE),
            r#""16MiB""#,
            "Size at which a file is rotated, at the end of a line.",
        ),
        field(
            "max_age",
            Shape::Duration(limits::LOG_AGE),
            Preset::Absent,
            r#""1day""#,
            "Age at which a file is rotated. Left out: no rotation by age.",
        ),
        field(
            "max_files",
            Shape::Integer(limits::LOG_MAX_FILES),
            Preset::Integer(default::LOG_MAX_FILES),
            "5",
            "Rotated files that are kept of each output.",
        ),
        field(
            "compress",
            Shape::Word(compressions),
            Preset::Text("zstd"),
            r#""gzip""#,
            "How rotated files are compressed: none, gzip or zstd.",
        ),
        field(
            "retention",
            Shape::Duration(limits::LOG_AGE),
            Preset::Absent,
            r#""30days""#,
            "Time that rotated files are kept, also after the instance is gone. Left out: as long as the other rules let them.",
        ),
        field(
            "quota",
            Shape::Size(limits::LOG_QUOTA),
            Preset::Absent,
            r#""1GiB""#,
            "Size of all files of the process on a node, at least max_size: the oldest rotated ones go first. Left out: no limit.",
        ),
        field(
            "format",
            Shape::Word(formats),
            Preset::Text("raw"),
            r#""ecs""#,
            "raw: the bytes as the program wrote them; ecs, otel: a JSON object a line, with the field names of the Elastic Common Schema or of OpenTelemetry.",
        ),
        field(
            "merge",
            Shape::Flag,
            Preset::Flag(false),
            "true",
            "Standard error goes to the file of standard output, in the order of writing.",
        ),
        field(
            "when_full",
            Shape::Word(fulls),
            Preset::Text("drop"),
            r#""block""#,
            "When the disk takes no more: drop goes on and counts the missing bytes, block makes the program wait.",
        ),
    ]],
);

/// One of `log_rules`.
pub(in crate::document) static LOG_RULE: Group = group(
    "logRule",
    "a log rule",
    &[&[
        field("name", Shape::Name, Preset::Required, r#""no-memory""#, "Name, for events; once in a process."),
        field(
            "pattern",
            Shape::Pattern,
            Preset::Required,
            r#""OutOfMemoryError""#,
            "Regular expression, found anywhere in a line.",
        ),
        field(
            "action",
            Shape::Word(actions),
            Preset::Text("event"),
            r#""restart""#,
            "event: an event with the line; alert: one that alerts are made of; restart: the instance is stopped gracefully and started again.",
        ),
        field(
            "cooldown",
            Shape::Duration(limits::LOG_COOLDOWN),
            Preset::Duration(default::LOG_COOLDOWN),
            r#""1m""#,
            "Time that the rule is quiet after it fired; what it passes over is counted in its next event.",
        ),
    ]],
);
