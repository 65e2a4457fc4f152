//! When a process runs: `depends_on` and `schedule`.

use super::fields::{CONDITIONS, DEPENDENCY, SCHEDULE};
use super::mapping::{Mapping, located};
use super::report::Report;
use super::scalar::{self, Look, Wrong, describe, segment};
use super::tree::{Entry, Node, Value};
use super::value::{inner, list, name, word};
use crate::ProcessName;
use crate::spec::{CatchUp, Condition, Dependency, Fault, Overlap, Schedule};
use std::time::Duration;

/// The dependencies, in the order of the file.
pub(super) fn dependencies(fields: &Mapping<'_>, report: &mut Report) -> Vec<Dependency> {
    let Some(entry) = fields.wanted("depends_on", report) else { return Vec::new() };
    match &entry.value.value {
        Value::Mapping(entries) => {
            let named = entries.iter().filter(|entry| !entry.value.is_null());
            named.filter_map(|entry| dependency(fields, entry, report)).collect()
        }
        Value::Scalar(_) | Value::Sequence(_) => {
            let names = list(fields, "depends_on", report, |item| scalar::text(item).and_then(name::<ProcessName>));
            names.into_iter().map(|process| Dependency { process, condition: Condition::Ready }).collect()
        }
    }
}

fn dependency(fields: &Mapping<'_>, entry: &Entry, report: &mut Report) -> Option<Dependency> {
    let field = format!("depends_on.{}", segment(&entry.key));
    let process = name(&entry.key).map_err(|wrong| inner(fields, &field, entry.key_at, wrong, report)).ok();
    let condition = match &entry.value.value {
        Value::Mapping(_) => {
            let map = Mapping::open(&DEPENDENCY, &entry.value, fields.field(&field), entry.key_at, report)?;
            grouped(&map, report)
        }
        Value::Scalar(_) | Value::Sequence(_) => {
            condition(&entry.value).map_err(|wrong| inner(fields, &field, entry.value.at, wrong, report)).ok()
        }
    };
    Some(Dependency { process: process?, condition: condition? })
}

fn grouped(map: &Mapping<'_>, report: &mut Report) -> Option<Condition> {
    let (word, pattern) = (map.read("condition", report, condition), map.text("log", report));
    match (map.entry("condition"), map.entry("log")) {
        (Some(_), None) => word,
        (None, Some(_)) => pattern.map(|pattern| Condition::Log(pattern.to_owned())),
        (Some(_), Some(log)) => {
            let fault = Fault::new(map.field("log"), "it is given beside condition", "keep one of the two");
            report.fault(log.key_at, fault);
            None
        }
        (None, None) => {
            let fix = "write {condition: ready}, or {log: PATTERN}";
            report.fault(map.at, Fault::new(map.path.clone(), "it has no condition", fix));
            None
        }
    }
}

/// A condition by its word. What docker-compose and process-compose call it
/// gets its own answer.
fn condition(node: &Node) -> Result<Condition, Wrong> {
    let Value::Scalar(scalar) = &node.value else { return Err(Wrong::found(node, "write a condition, as ready")) };
    if let Some((_, condition)) = CONDITIONS.iter().find(|(word, _)| *word == scalar.text) {
        return Ok(condition.clone());
    }
    let fix = match (scalar.look(), scalar.text.as_str()) {
        (Look::Text, "service_started" | "process_started" | "running" | "start") => "write started".to_owned(),
        (Look::Text, "service_healthy" | "process_healthy" | "healthy" | "process_ready") => "write ready".to_owned(),
        (Look::Text, "process_completed" | "exited" | "finished" | "done") => "write completed".to_owned(),
        (Look::Text, "service_completed_successfully" | "process_completed_successfully" | "succeeded") => {
            "write completed_ok".to_owned()
        }
        (Look::Text, "process_log_ready" | "log" | "log_ready") => "write {log: PATTERN}".to_owned(),
        (Look::Text | Look::Null | Look::Flag(_) | Look::Number, _) => {
            let words: Vec<&'static str> = CONDITIONS.iter().map(|(word, _)| *word).collect();
            return word(node, &words, |word| word).map(|_| Condition::Ready);
        }
    };
    Err(Wrong::new(format!("it is {}", describe(node)), fix))
}

/// `schedule`: a cron expression, or a map with one.
pub(super) fn schedule(fields: &Mapping<'_>, report: &mut Report) -> Option<Box<Schedule>> {
    let entry = fields.wanted("schedule", report)?;
    let plain = |cron: &str| Schedule {
        cron: cron.to_owned(),
        timezone: "UTC".to_owned(),
        overlap: Overlap::default(),
        catch_up: CatchUp::default(),
        jitter: Duration::ZERO,
    };
    let map = match &entry.value.value {
        Value::Scalar(_) => return fields.text("schedule", report).map(|cron| Box::new(plain(cron))),
        Value::Mapping(_) => Mapping::open(&SCHEDULE, &entry.value, fields.field("schedule"), entry.key_at, report)?,
        Value::Sequence(_) => {
            let fix = format!("write a cron expression, or a map of {}", SCHEDULE.names().join(", "));
            report.fault(entry.value.at, located(&fields.field("schedule"), Wrong::found(&entry.value, fix)));
            return None;
        }
    };
    let cron = map.text("cron", report);
    let timezone = map.text("timezone", report);
    let overlap = map.read("overlap", report, |node| word(node, &Overlap::ALL, Overlap::as_str));
    let catch_up = map.read("catch_up", report, |node| word(node, &CatchUp::ALL, CatchUp::as_str));
    let jitter = map.duration("jitter", report);
    let absent = plain(cron?);
    Some(Box::new(Schedule {
        timezone: timezone.map_or(absent.timezone, str::to_owned),
        overlap: overlap.unwrap_or_default(),
        catch_up: catch_up.unwrap_or_default(),
        jitter: jitter.unwrap_or_default(),
        cron: absent.cron,
    }))
}
