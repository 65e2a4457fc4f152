//! A spec as paths and values: names as they are saved, so a path means the
//! same in every version. What is not set, and empty lists, are left out.

use super::mask::{self, MASK};
use crate::ProcessSpec;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// A value and what may be seen of it. Values are compared as they are.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Shown {
    raw: String,
    pub(super) shown: String,
    pub(super) hidden: bool,
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The value itself may be secret.
        f.write_str(&self.shown)
    }
}

/// All of a spec.
pub(super) fn whole(spec: &ProcessSpec) -> BTreeMap<String, Shown> {
    // A spec is text, numbers and lists of them; that can always be written.
    flat(&serde_json::to_value(spec).unwrap_or_default())
}

/// A spec, or some fields of it.
pub(super) fn flat(spec: &Value) -> BTreeMap<String, Shown> {
    let mut fields = BTreeMap::new();
    walk("", spec, false, &mut fields);
    fields
}

fn walk(path: &str, value: &Value, secret: bool, fields: &mut BTreeMap<String, Shown>) {
    match value {
        Value::Null => {}
        Value::Bool(_) | Value::Number(_) => put(path, value.to_string(), str::to_owned, secret, fields),
        Value::String(text) => put(path, text.clone(), mask::text, secret, fields),
        Value::Object(object) => match duration(object) {
            Some(text) => put(path, text, str::to_owned, secret, fields),
            None => {
                for (key, value) in object {
                    let secret = secret || mask::is_secret_map(path) || mask::is_secret_name(key);
                    walk(&join(path, key), value, secret, fields);
                }
            }
        },
        Value::Array(items) => list(path, items, secret, fields),
    }
}

fn list(path: &str, items: &[Value], secret: bool, fields: &mut BTreeMap<String, Shown>) {
    if items.is_empty() {
        return;
    }
    if mask::is_secret_map(path) {
        // Pairs of name and value; a name may be there twice.
        for (n, item) in items.iter().enumerate() {
            let name = item.get(0).and_then(Value::as_str).unwrap_or_default();
            let value = item.get(1).cloned().unwrap_or_default();
            walk(&format!("{path}[{n}].{name}"), &value, true, fields);
        }
        return;
    }
    if items.iter().any(|item| item.is_object() || item.is_array()) {
        for (n, item) in items.iter().enumerate() {
            walk(&format!("{path}[{n}]"), item, secret, fields);
        }
        return;
    }
    let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
    let raw = Value::from(items.to_vec()).to_string();
    let shown = |raw: &str| texts.map_or_else(|| raw.to_owned(), |texts| Value::from(mask::words(&texts)).to_string());
    put(path, raw, shown, secret, fields);
}

fn put(
    path: &str,
    raw: String,
    shown: impl FnOnce(&str) -> String,
    secret: bool,
    fields: &mut BTreeMap<String, Shown>,
) {
    let shown = if secret { MASK.to_owned() } else { shown(&raw) };
    let hidden = secret || raw != shown;
    fields.insert(path.to_owned(), Shown { raw, shown, hidden });
}

/// serde's form of a duration.
fn duration(object: &Map<String, Value>) -> Option<String> {
    let (secs, nanos) = (object.get("secs")?.as_u64()?, object.get("nanos")?.as_u64()?);
    let nanos = u32::try_from(nanos).ok().filter(|nanos| object.len() == 2 && *nanos < 1_000_000_000)?;
    Some(humantime::format_duration(Duration::new(secs, nanos)).to_string())
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}
