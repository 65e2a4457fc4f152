//! `restart`: a policy by its word, or a map of it and its numbers.

use super::fields::RESTART;
use super::mapping::Mapping;
use super::report::Report;
use super::scalar::{self, Look, Wrong, cut, describe};
use super::suggest::suggest;
use super::tree::{Node, Value};
use super::value::{inner, list};
use crate::spec::{Backoff, ExitCodes, RestartLimit, RestartMode, RestartPolicy};

/// The policy; the default where nothing, or nothing right, is written. What
/// is `scheduled` ends by itself, and is not restarted unless it asks for it.
pub(super) fn read(fields: &Mapping<'_>, scheduled: bool, report: &mut Report) -> RestartPolicy {
    let mut policy = RestartPolicy::default();
    if scheduled {
        policy.mode = RestartMode::Never;
    }
    let Some(entry) = fields.wanted("restart", report) else { return policy };
    if matches!(entry.value.value, Value::Scalar(_)) {
        policy.mode = fields.read("restart", report, mode).unwrap_or(policy.mode);
        return policy;
    }
    let path = fields.field("restart");
    if let Value::Sequence(_) = &entry.value.value {
        let fix = format!("write {}, or a map of {}", words().join(", "), RESTART.names().join(", "));
        inner(fields, "restart", entry.value.at, Wrong::found(&entry.value, fix), report);
        return policy;
    }
    let Some(map) = Mapping::open(&RESTART, &entry.value, path, entry.key_at, report) else { return policy };
    policy.mode = map.read("policy", report, mode).unwrap_or(policy.mode);
    policy.backoff = backoff(&map, report);
    policy.max_restarts = map.integer("max_restarts", report).unwrap_or(policy.max_restarts);
    policy.reset_after = map.duration("reset_after", report).unwrap_or(policy.reset_after);
    policy.limit = limit(&map, report);
    policy.codes = ExitCodes {
        success: list(&map, "success_codes", report, code),
        never_restart: list(&map, "never_restart_codes", report, code),
        always_restart: list(&map, "always_restart_codes", report, code),
    };
    policy.max_memory = map.size("max_memory", report);
    policy.max_runtime = map.duration("max_runtime", report);
    policy
}

fn limit(map: &Mapping<'_>, report: &mut Report) -> Option<RestartLimit> {
    let limit = map.group("limit", report)?;
    let (restarts, within) = (limit.integer("restarts", report), limit.duration("within", report));
    Some(RestartLimit { restarts: restarts?, within: within? })
}

/// An exit code.
fn code(node: &Node) -> Result<u8, Wrong> {
    scalar::integer(node, &(0..=255)).map(|code| u8::try_from(code).unwrap_or_default())
}

fn backoff(map: &Mapping<'_>, report: &mut Report) -> Backoff {
    let default = Backoff::default();
    let Some(backoff) = map.group("backoff", report) else { return default };
    Backoff {
        initial: backoff.duration("initial", report).unwrap_or(default.initial),
        factor: backoff.number("factor", report).unwrap_or(default.factor),
        max: backoff.duration("max", report).unwrap_or(default.max),
        jitter: backoff.number("jitter", report).unwrap_or(default.jitter),
    }
}

fn words() -> Vec<&'static str> {
    RestartMode::ALL.iter().map(|mode| mode.as_str()).collect()
}

/// A policy by its word. What other managers call it gets its own answer.
fn mode(node: &Node) -> Result<RestartMode, Wrong> {
    let list = format!("write {}", words().join(", "));
    let Value::Scalar(scalar) = &node.value else { return Err(Wrong::found(node, list)) };
    if let Some(mode) = RestartMode::ALL.into_iter().find(|mode| mode.as_str() == scalar.text) {
        return Ok(mode);
    }
    let limited =
        scalar.text.split_once(':').filter(|(word, count)| *word == "on-failure" && count.parse::<u32>().is_ok());
    let fix = match (scalar.look(), scalar.text.to_lowercase().as_str()) {
        (Look::Flag(true), _) | (Look::Text, "yes" | "on") => "write always".to_owned(),
        (Look::Flag(false), _) | (Look::Text, "no" | "off" | "none") => "write never".to_owned(),
        (Look::Text, "unless_stopped") => "write unless-stopped".to_owned(),
        (Look::Text, text) => match limited {
            Some((_, count)) => format!("write {{policy: on-failure, max_restarts: {}}}", cut(count)),
            None => suggest(text, &words()).map_or(list, |meant| format!("did you mean {meant}?")),
        },
        (Look::Null | Look::Number, _) => list,
    };
    Err(Wrong::new(format!("it is {}", describe(node)), fix))
}
