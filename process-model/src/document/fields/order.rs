//! When a process runs: after others, and by the clock.

use super::{field, group};
use crate::document::field::{Choice, Group, Preset, Shape};
use crate::spec::{CatchUp, Condition, Overlap, limits};

/// The conditions of a dependency that a word says.
pub(in crate::document) const CONDITIONS: [(&str, Condition); 4] = [
    ("started", Condition::Started),
    ("ready", Condition::Ready),
    ("completed", Condition::Completed),
    ("completed_ok", Condition::CompletedOk),
];

pub(super) fn words() -> Vec<&'static str> {
    CONDITIONS.iter().map(|(word, _)| *word).collect()
}

fn overlaps() -> Vec<&'static str> {
    Overlap::ALL.iter().map(|way| way.as_str()).collect()
}

fn catch_ups() -> Vec<&'static str> {
    CatchUp::ALL.iter().map(|way| way.as_str()).collect()
}

/// One of `depends_on`, as a map.
pub(in crate::document) static DEPENDENCY: Group = Group {
    choice: Choice::One(&["condition", "log"]),
    ..group(
        "dependency",
        "a dependency",
        &[&[
            field(
                "condition",
                Shape::Word(words),
                Preset::Absent,
                r#""completed_ok""#,
                "started: it runs; ready: it runs and is ready; completed: it has ended by itself; completed_ok: with success.",
            ),
            field(
                "log",
                Shape::Pattern,
                Preset::Absent,
                r#""ready to accept connections""#,
                "A line of its output, since it was last started, has this regular expression.",
            ),
        ]],
    )
};

/// `schedule` as a map.
pub(in crate::document) static SCHEDULE: Group = group(
    "schedule",
    "schedule",
    &[&[
        field(
            "cron",
            Shape::Text,
            Preset::Required,
            r#""*/15 8-18 * * MON-FRI""#,
            "Minute, hour, day of month, month, day of week, perhaps with seconds before; or @hourly and its kin (crontab(5)).",
        ),
        field("timezone", Shape::Text, Preset::Text("UTC"), r#""Europe/Berlin""#, "Time zone by its IANA name."),
        field(
            "overlap",
            Shape::Word(overlaps),
            Preset::Text("skip"),
            r#""queue""#,
            "When a time comes while the run before still goes on: skip leaves it out, queue runs once more afterwards, replace stops the run before.",
        ),
        field(
            "catch_up",
            Shape::Word(catch_ups),
            Preset::Text("none"),
            r#""once""#,
            "Times that passed while the runner was not there: none leaves them out, once makes up for all of them with one run.",
        ),
        field(
            "jitter",
            Shape::Duration(limits::SCHEDULE_JITTER),
            Preset::Duration(std::time::Duration::ZERO),
            r#""5m""#,
            "Each start is later by a random time up to this.",
        ),
    ]],
);
