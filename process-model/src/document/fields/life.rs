//! How an instance begins and ends: hooks and the stop sequence.

use super::{field, group};
use crate::document::field::{Choice, Group, Preset, Shape};
use crate::spec::limits::{self, default};

const HOOK_SHAPE: Shape = Shape::CommandOrGroup(&HOOK);

/// `hooks`.
pub(super) static HOOKS: Group = group(
    "hooks",
    "hooks",
    &[&[
        field(
            "pre_start",
            HOOK_SHAPE,
            Preset::Absent,
            r#"{"command": ["./migrate.sh"], "timeout": "5m"}"#,
            "Before each start; when it fails, the start has failed.",
        ),
        field(
            "post_start",
            HOOK_SHAPE,
            Preset::Absent,
            r#""./warm-up.sh""#,
            "After the program was started and before it counts as ready; when it fails, the run has failed.",
        ),
        field(
            "reload",
            HOOK_SHAPE,
            Preset::Absent,
            r#"["nginx", "-s", "reload"]"#,
            "What pmctl reload runs. Left out: SIGHUP to the main process.",
        ),
        field(
            "pre_stop",
            HOOK_SHAPE,
            Preset::Absent,
            r#""./drain.sh""#,
            "Before the stop sequence; its failure is reported and holds nothing up.",
        ),
        field(
            "post_stop",
            HOOK_SHAPE,
            Preset::Absent,
            r#""rm -f /run/web.lock""#,
            "After the whole tree has ended, however it ended; its failure is reported.",
        ),
    ]],
);

/// A hook as a map.
pub(in crate::document) static HOOK: Group = group(
    "hook",
    "a hook",
    &[&[
        field(
            "command",
            Shape::Command,
            Preset::Required,
            r#"["./migrate.sh"]"#,
            "What runs, with the user, environment and working directory of the program.",
        ),
        field(
            "timeout",
            Shape::Duration(limits::HOOK_TIMEOUT),
            Preset::Duration(default::HOOK_TIMEOUT),
            r#""5m""#,
            "Then its whole tree is killed, and it has failed.",
        ),
    ]],
);

/// `stop`.
pub(super) static STOP: Group = group(
    "stop",
    "stop",
    &[&[
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
        field(
            "steps",
            Shape::Groups(&STEP),
            Preset::Absent,
            r#"[{"wait": "2s"}, {"signal": "SIGINT", "to": "main", "wait": "10s"}]"#,
            "In the place of signal and timeout: what is tried in order, at most 16, until the tree has ended. SIGKILL to the tree comes after the last in any case.",
        ),
    ]],
);

fn scopes() -> Vec<&'static str> {
    vec!["tree", "main"]
}

/// One of `stop.steps`.
pub(in crate::document) static STEP: Group = Group {
    choice: Choice::Some(&["signal", "run", "wait"]),
    needs: &[("to", "signal"), ("timeout", "run")],
    ..group(
        "stopStep",
        "a step of a stop",
        &[&[
            field("signal", Shape::Signal, Preset::Absent, r#""SIGINT""#, "Sends this signal, then waits."),
            field(
                "to",
                Shape::Word(scopes),
                Preset::Text("tree"),
                r#""main""#,
                "Who gets the signal: every process of the tree, or the main process alone.",
            ),
            field(
                "wait",
                Shape::Duration(limits::STOP_TIMEOUT),
                Preset::Absent,
                r#""10s""#,
                "Beside signal: the wait after it, 5s if left out. Alone: a step that only waits.",
            ),
            field(
                "run",
                Shape::Command,
                Preset::Absent,
                r#""./drain.sh""#,
                "Runs a command to its end or its timeout.",
            ),
            field(
                "timeout",
                Shape::Duration(limits::HOOK_TIMEOUT),
                Preset::Duration(default::HOOK_TIMEOUT),
                r#""20s""#,
                "Longest time of run.",
            ),
        ]],
    )
};
