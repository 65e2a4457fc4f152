//! The table of every field of a process file, by topic. Reader, JSON Schema
//! and tests take names, kinds, ranges, defaults and examples from here.

mod execution;
mod life;
mod logs;
mod order;
mod placement;
mod probe;
mod process;
mod restart;

pub(super) use execution::{IO_PRIORITY, RLIMIT, SOCKET};
pub(super) use life::{HOOK, STEP};
pub(super) use logs::LOG_RULE;
pub(super) use order::{CONDITIONS, DEPENDENCY, SCHEDULE};
pub(super) use placement::SINGLETON;
pub(super) use process::{LIST_ENTRY, PROCESS};
pub(super) use restart::RESTART;

use super::field::{Choice, Field, Group, Preset, Shape};

const fn field(name: &'static str, shape: Shape, default: Preset, example: &'static str, about: &'static str) -> Field {
    Field { name, shape, default, example, about }
}

const fn group(id: &'static str, noun: &'static str, parts: &'static [&'static [Field]]) -> Group {
    Group { id, noun, parts, choice: Choice::Free, needs: &[] }
}

/// The file.
pub(super) static ROOT: Group = group(
    "document",
    "a process file",
    &[&[
        field("version", Shape::Integer(1..=1), Preset::Integer(1), "1", "Version of the form."),
        field(
            "env",
            Shape::TextMap,
            Preset::Absent,
            r#"{"TZ": "UTC"}"#,
            "Environment of every process of the file. A process's own env_files and env override it, name by name.",
        ),
        field(
            "env_files",
            Shape::OptionalPaths,
            Preset::Absent,
            r#"["-/etc/default/shop"]"#,
            "Files of NAME=VALUE lines for every process of the file, over env and under what a process says itself.",
        ),
        field(
            "processes",
            Shape::Processes,
            Preset::Required,
            r#"{"web": {"command": "python3 -m http.server 8080"}}"#,
            "The processes: a map from name to fields, or a list whose entries have a `name`.",
        ),
    ]],
);
