//! The place of a field that a rule of the whole spec names.

use super::mapping::Mapping;
use super::tree::{Entry, Node, Position, Value};
use crate::spec::Fault;

/// Place and whole path of a fault whose field is relative to the process.
/// What is not written stands for its nearest parent.
pub(super) fn place(mut fault: Fault, process: &Mapping<'_>) -> (Position, Fault) {
    // The list form writes the watchdog's fields beside the others.
    if process.entry("log_watchdog").is_none()
        && let Some(short) = fault.field.strip_prefix("log_watchdog.")
    {
        fault.field = short.to_owned();
    }
    let at = position(process.entries(), &fault.field, process.at);
    fault.field = process.field(&fault.field);
    (at, fault)
}

/// Whether the fault is about a variable that the process has from the whole
/// file, where it is reported once.
pub(super) fn is_shared(fault: &Fault, process: &Mapping<'_>) -> bool {
    fault.field.starts_with("env.") && !written(process.entries(), &fault.field)
}

/// The entry that begins `path`, and the path inside it. Keys may contain
/// points, so the longest fitting one is taken.
fn step<'t, 'p>(entries: &'t [Entry], path: &'p str) -> Option<(&'t Entry, &'p str)> {
    let fits = |entry: &'t Entry| {
        let rest = path.strip_prefix(entry.key.as_str())?;
        if rest.is_empty() || rest.starts_with('[') {
            Some((entry, rest))
        } else {
            rest.strip_prefix('.').map(|rest| (entry, rest))
        }
    };
    entries.iter().filter(|entry| !entry.value.is_null()).filter_map(fits).max_by_key(|(entry, _)| entry.key.len())
}

fn written(entries: &[Entry], path: &str) -> bool {
    match step(entries, path) {
        Some((_, "")) => true,
        Some((entry, rest)) => match &entry.value.value {
            Value::Mapping(inner) => written(inner, rest),
            Value::Scalar(_) | Value::Sequence(_) => false,
        },
        None => false,
    }
}

fn position(entries: &[Entry], path: &str, parent: Position) -> Position {
    match step(entries, path) {
        None => parent,
        Some((entry, rest)) => match &entry.value.value {
            Value::Mapping(inner) if !rest.is_empty() => position(inner, rest, entry.key_at),
            Value::Sequence(items) if !rest.is_empty() => item(items, rest).unwrap_or(entry.value.at),
            Value::Mapping(_) | Value::Sequence(_) | Value::Scalar(_) => entry.value.at,
        },
    }
}

/// The place of an item, by its number as `[1].name`, or by what it is.
fn item(items: &[Node], path: &str) -> Option<Position> {
    let Some((index, rest)) = path.strip_prefix('[').and_then(|path| path.split_once(']')) else {
        let named = |node: &&Node| matches!(&node.value, Value::Scalar(scalar) if scalar.text == path);
        // The last: what is there twice is one too many there.
        return items.iter().rfind(named).map(|node| node.at);
    };
    let node = items.get(index.parse::<usize>().ok()?)?;
    match (&node.value, rest.strip_prefix('.')) {
        (Value::Mapping(inner), Some(rest)) => Some(position(inner, rest, node.at)),
        (Value::Mapping(_) | Value::Scalar(_) | Value::Sequence(_), _) => Some(node.at),
    }
}
