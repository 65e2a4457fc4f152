//! What a program gets from the kernel: identity, limits, scheduling, sockets.

use super::{field, group};
use crate::document::field::{Field, Group, Preset, Shape};
use crate::spec::limits::{self, default};
use crate::spec::{IoClass, LimitMode, Resource};

fn resources() -> Vec<&'static str> {
    Resource::ALL.iter().map(|resource| resource.as_str()).collect()
}

fn classes() -> Vec<&'static str> {
    IoClass::ALL.iter().map(|class| class.as_str()).collect()
}

fn modes() -> Vec<&'static str> {
    LimitMode::ALL.iter().map(|mode| mode.as_str()).collect()
}

pub(super) const FIELDS: &[Field] = &[
    field(
        "group",
        Shape::Literal,
        Preset::Absent,
        r#""www-data""#,
        "Primary group, by name or numeric id. Left out: the user's.",
    ),
    field(
        "groups",
        Shape::Literals,
        Preset::Absent,
        r#"["ssl-cert", 33]"#,
        "Supplementary groups, by name or numeric id; an empty list is none. Left out: the user's.",
    ),
    field(
        "umask",
        Shape::Mode,
        Preset::Text("022"),
        r#""027""#,
        "Permission bits that new files do not get (umask(2)), in octal digits after a 0.",
    ),
    field(
        "rlimits",
        Shape::Rlimits(resources, &RLIMIT),
        Preset::Absent,
        r#"{"nofile": 65536, "core": 0}"#,
        "Resource limits (getrlimit(2)) by name: one number or unlimited for both, or soft and hard apart. Left out: the runner's.",
    ),
    field(
        "nice",
        Shape::Signed(limits::NICE),
        Preset::Absent,
        "10",
        "Scheduling priority (nice(2)), -20 (first) to 19 (last). Left out: the runner's.",
    ),
    field(
        "io_priority",
        Shape::WordOrGroup(classes, &IO_PRIORITY),
        Preset::Absent,
        r#""idle""#,
        "Priority of reads and writes (ioprio_set(2)): a class, or a map of class and level. Left out: the runner's.",
    ),
    field(
        "oom_score_adj",
        Shape::Signed(limits::OOM_SCORE_ADJ),
        Preset::Absent,
        "500",
        "How soon the kernel kills it when memory is out (proc(5)), -1000 (never) to 1000. Left out: the runner's.",
    ),
    field(
        "cpu_affinity",
        Shape::Cpus,
        Preset::Absent,
        r#"[0, "2-3"]"#,
        "CPUs that it may run on: numbers and ranges. Left out: all that the runner may.",
    ),
    field(
        "no_new_privs",
        Shape::Flag,
        Preset::Flag(false),
        "true",
        "Nothing that it executes gains privileges, as by setuid (prctl(2), PR_SET_NO_NEW_PRIVS).",
    ),
];

/// One of `rlimits`, as a map.
pub(in crate::document) static RLIMIT: Group = group(
    "rlimit",
    "a resource limit",
    &[&[
        field("soft", Shape::Rlimit, Preset::Required, "4096", "What is enforced."),
        field("hard", Shape::Rlimit, Preset::Required, r#""unlimited""#, "What the program may raise soft to."),
    ]],
);

/// `io_priority` as a map.
pub(in crate::document) static IO_PRIORITY: Group = group(
    "ioPriority",
    "io_priority",
    &[&[
        field(
            "class",
            Shape::Word(classes),
            Preset::Required,
            r#""best-effort""#,
            "realtime: before everybody else, which needs privileges; best-effort: by level; idle: when nobody else wants the disk.",
        ),
        field(
            "level",
            Shape::Integer(limits::IO_LEVEL),
            Preset::Integer(4),
            "7",
            "0 (first) to 7 (last); without meaning for idle.",
        ),
    ]],
);

/// One of `sockets`, as a map.
pub(in crate::document) static SOCKET: Group = group(
    "socket",
    "a socket",
    &[&[
        field(
            "listen",
            Shape::Listen,
            Preset::Required,
            r#""unix:/run/web.sock""#,
            "An address and port, a port of 127.0.0.1, or unix: and a path.",
        ),
        field(
            "backlog",
            Shape::Integer(limits::BACKLOG),
            Preset::Integer(default::BACKLOG),
            "128",
            "Connections that may wait (listen(2)).",
        ),
        field(
            "mode",
            Shape::Mode,
            Preset::Text("0660"),
            r#""0600""#,
            "Permission bits of a Unix socket, in octal digits after a 0.",
        ),
        field("udp", Shape::Flag, Preset::Flag(false), "false", "UDP instead of TCP."),
    ]],
);

/// `limits`.
pub(super) static LIMITS: Group = group(
    "limits",
    "limits",
    &[&[
        field(
            "memory",
            Shape::Size(limits::MEMORY),
            Preset::Absent,
            r#""512MiB""#,
            "Memory of the whole tree; above, the kernel kills.",
        ),
        field("cpu", Shape::Number(0.01..=1024.0), Preset::Absent, "0.5", "CPUs: 0.5 is half of one."),
        field("pids", Shape::Integer(limits::PIDS), Preset::Absent, "200", "Processes and threads."),
        field(
            "mode",
            Shape::Word(modes),
            Preset::Text("enforce"),
            r#""observe""#,
            "enforce: the kernel enforces them; observe: an event tells when one would have been.",
        ),
    ]],
);
