//! When and how soon an ended instance is started again.

use super::process::policies;
use super::{field, group};
use crate::document::field::{Group, Preset, Shape};
use crate::spec::limits::{self, default};

/// Exit codes.
const CODES: Shape = Shape::Integers(0..=255);

/// `restart` as a map.
pub(in crate::document) static RESTART: Group = group(
    "restart",
    "restart",
    &[&[
        field(
            "policy",
            Shape::Word(policies),
            Preset::Text("always"),
            r#""on-failure""#,
            "always: however the program ended; on-failure: unless it ended with success; never; unless-stopped: as always, because what was stopped by hand stays stopped in any case.",
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
        field(
            "limit",
            Shape::Group(&LIMIT),
            Preset::Absent,
            r#"{"restarts": 5, "within": "10m"}"#,
            "More restarts than this within this time, and the instance is failed. Left out: no limit.",
        ),
        field("success_codes", CODES, Preset::Absent, "[2, 143]", "Exit codes that are success, beside 0."),
        field(
            "never_restart_codes",
            CODES,
            Preset::Absent,
            "[78]",
            "Exit codes after which it is never restarted, whatever the policy says.",
        ),
        field(
            "always_restart_codes",
            CODES,
            Preset::Absent,
            "3",
            "Exit codes after which it is always restarted, whatever the policy says.",
        ),
        field(
            "max_memory",
            Shape::Size(limits::MEMORY),
            Preset::Absent,
            r#""1GiB""#,
            "Resident memory of the whole tree above which the instance is stopped gracefully and started again.",
        ),
        field(
            "max_runtime",
            Shape::Duration(limits::MAX_RUNTIME),
            Preset::Absent,
            r#""1day""#,
            "Longest time of one run: then the instance is stopped gracefully and started again.",
        ),
    ]],
);

/// `restart.limit`.
static LIMIT: Group = group(
    "restartLimit",
    "limit",
    &[&[
        field(
            "restarts",
            Shape::Integer(limits::RESTART_LIMIT),
            Preset::Required,
            "5",
            "Restarts that are still allowed.",
        ),
        field(
            "within",
            Shape::Duration(limits::RESTART_WINDOW),
            Preset::Required,
            r#""10m""#,
            "The time in which they are counted.",
        ),
    ]],
);

/// `restart.backoff`.
static BACKOFF: Group = group(
    "backoff",
    "backoff",
    &[&[
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
);
