//! `processes:` as a list: the form of log-activity watchers (S2.3). `name`,
//! `command`, `log_file`, `timeout` and `interval` mean a process whose output
//! goes to that file, watched. Every field of the map form is allowed too.

use super::fields::LIST_ENTRY;
use super::mapping::{Mapping, located};
use super::process;
use super::report::Report;
use super::scalar::{self, cut};
use super::shared::Shared;
use super::tree::{Node, Position, Value};
use super::value::name;
use crate::spec::{Fault, LogWatchdog};
use crate::{ProcessName, ProcessSpec};
use std::collections::BTreeMap;

/// The processes of the list, each with its fields.
pub(super) fn read<'t>(items: &'t [Node], shared: &Shared<'_>, report: &mut Report) -> Vec<(ProcessSpec, Mapping<'t>)> {
    let mut seen = BTreeMap::new();
    items.iter().enumerate().filter_map(|(index, item)| one(index, item, &mut seen, shared, report)).collect()
}

fn one<'t>(
    index: usize,
    item: &'t Node,
    seen: &mut BTreeMap<ProcessName, Position>,
    shared: &Shared<'_>,
    report: &mut Report,
) -> Option<(ProcessSpec, Mapping<'t>)> {
    let fields = Mapping::open(&LIST_ENTRY, item, path(index, item), item.at, report)?;
    let name = fields.read("name", report, |node| scalar::text(node).and_then(name));
    if let (Some(name), Some(entry)) = (&name, fields.entry("name")) {
        let at = entry.value.at;
        match seen.get(name) {
            Some(first) => {
                let problem = format!("{:?} is defined twice, first at {}:{}", name.as_str(), first.line, first.column);
                report.fault(at, Fault::new(fields.field("name"), problem, "rename one"));
            }
            None => {
                seen.insert(name.clone(), at);
            }
        }
    }
    let mut spec = process::read(&fields, name, shared, report)?;
    watch(&fields, &mut spec, report);
    Some((spec, fields))
}

/// The entry's path: by name where it has a usable one, else by number.
fn path(index: usize, item: &Node) -> String {
    let entries = match &item.value {
        Value::Mapping(entries) => entries.as_slice(),
        Value::Scalar(_) | Value::Sequence(_) => &[],
    };
    let named = entries.iter().find(|entry| entry.key == "name").and_then(|entry| scalar::text(&entry.value).ok());
    match named.filter(|text| !text.is_empty()) {
        Some(text) => format!("processes.{}", cut(text)),
        None => format!("processes[{index}]"),
    }
}

/// The watchdog of the short form.
fn watch(fields: &Mapping<'_>, spec: &mut ProcessSpec, report: &mut Report) {
    let (timeout, interval) = (fields.duration("timeout", report), fields.duration("interval", report));
    if fields.entry("log_watchdog").is_some() {
        for short in ["timeout", "interval"] {
            if let Some(entry) = fields.entry(short) {
                let fix = format!("write it as log_watchdog.{short}");
                let wrong = scalar::Wrong::new("it is given beside log_watchdog", fix);
                report.fault(entry.key_at, located(&fields.field(short), wrong));
            }
        }
        return;
    }
    if ["log_file", "timeout", "interval"].iter().any(|short| fields.entry(short).is_some()) {
        let default = LogWatchdog::new(spec.log_file.clone());
        spec.log_watchdog = Some(LogWatchdog {
            timeout: timeout.unwrap_or(default.timeout),
            interval: interval.unwrap_or(default.interval),
            ..default
        });
    }
}
