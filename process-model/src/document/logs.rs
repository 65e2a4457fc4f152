//! Output: `logs`, `log_rules` and `log_watchdog`.

use super::fields::LOG_RULE;
use super::mapping::{Mapping, located};
use super::process::path;
use super::report::Report;
use super::scalar::{self, Wrong};
use super::shared::Shared;
use super::tree::{Node, Value};
use super::value::{name, word};
use crate::ProcessName;
use crate::spec::limits::default;
use crate::spec::{Compression, LogAction, LogFormat, LogPolicy, LogRule, LogWatchdog, WhenFull};

/// `log_watchdog`. Without a file of its own it watches the process's output,
/// wherever that goes.
pub(super) fn watchdog(
    fields: &Mapping<'_>,
    log_file: Option<&String>,
    shared: &Shared<'_>,
    report: &mut Report,
) -> Option<LogWatchdog> {
    let watchdog = fields.group("log_watchdog", report)?;
    let default = LogWatchdog::new(path(&watchdog, "log_file", shared, report).or_else(|| log_file.cloned()));
    Some(LogWatchdog {
        timeout: watchdog.duration("timeout", report).unwrap_or(default.timeout),
        interval: watchdog.duration("interval", report).unwrap_or(default.interval),
        log_file: default.log_file,
    })
}

/// `logs`. That it is there says something: a `log_file` is rotated then.
pub(super) fn policy(fields: &Mapping<'_>, report: &mut Report) -> Option<Box<LogPolicy>> {
    let map = fields.group("logs", report)?;
    let absent = LogPolicy::default();
    let compress = map.read("compress", report, |node| word(node, &Compression::ALL, Compression::as_str));
    let format = map.read("format", report, |node| word(node, &LogFormat::ALL, LogFormat::as_str));
    let when_full = map.read("when_full", report, |node| word(node, &WhenFull::ALL, WhenFull::as_str));
    Some(Box::new(LogPolicy {
        max_size: map.size("max_size", report).unwrap_or(absent.max_size),
        max_age: map.duration("max_age", report),
        max_files: map.integer("max_files", report).unwrap_or(absent.max_files),
        compress: compress.unwrap_or(absent.compress),
        retention: map.duration("retention", report),
        quota: map.size("quota", report),
        format: format.unwrap_or(absent.format),
        merge: map.flag("merge", report).unwrap_or(absent.merge),
        when_full: when_full.unwrap_or(absent.when_full),
    }))
}

/// `log_rules`, in the order of the file.
pub(super) fn rules(fields: &Mapping<'_>, report: &mut Report) -> Vec<LogRule> {
    let Some(entry) = fields.wanted("log_rules", report) else { return Vec::new() };
    let Value::Sequence(items) = &entry.value.value else {
        let wrong = Wrong::found(&entry.value, "write a list, as [{name: oops, pattern: \"error: \"}]");
        report.fault(entry.value.at, located(&fields.field("log_rules"), wrong));
        return Vec::new();
    };
    let read = |(index, item)| rule(fields.field(&format!("log_rules[{index}]")), item, report);
    items.iter().enumerate().filter_map(read).collect()
}

fn rule(path: String, item: &Node, report: &mut Report) -> Option<LogRule> {
    let map = Mapping::open(&LOG_RULE, item, path, item.at, report)?;
    let name = map.read("name", report, |node| scalar::text(node).and_then(name::<ProcessName>));
    let pattern = map.text("pattern", report);
    let action = map.read("action", report, |node| word(node, &LogAction::ALL, LogAction::as_str));
    let cooldown = map.duration("cooldown", report);
    Some(LogRule {
        name: name?.as_str().to_owned(),
        pattern: pattern?.to_owned(),
        action: action.unwrap_or(LogAction::Event),
        cooldown: cooldown.unwrap_or(default::LOG_COOLDOWN),
    })
}
