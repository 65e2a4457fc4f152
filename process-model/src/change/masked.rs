//! A spec as it may be shown to everybody who may look: complete, with
//! everything secret masked by the same rules as in a diff.

use super::mask::{self, MASK};
use crate::ProcessSpec;
use serde_json::Value;

/// The spec with its secrets masked; `None` if it could not be read back,
/// which no spec that was checked can lead to.
#[must_use]
pub fn masked(spec: &ProcessSpec) -> Option<ProcessSpec> {
    let mut value = serde_json::to_value(spec).ok()?;
    walk("", &mut value, false);
    serde_json::from_value(value).ok()
}

fn walk(key: &str, value: &mut Value, secret: bool) {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
        Value::String(text) => *text = if secret { MASK.to_owned() } else { mask::text(text) },
        Value::Object(object) => {
            let all = mask::is_secret_map(key);
            for (key, value) in object {
                walk(key, value, secret || all || mask::is_secret_name(key));
            }
        }
        // Pairs of name and value.
        Value::Array(pairs) if mask::is_secret_map(key) => {
            for value in pairs.iter_mut().filter_map(|pair| pair.get_mut(1)) {
                walk(key, value, true);
            }
        }
        Value::Array(items) => {
            let texts: Option<Vec<&str>> = items.iter().map(Value::as_str).collect();
            match texts.map(|texts| mask::words(&texts)) {
                Some(shown) if !secret => *items = shown.into_iter().map(Value::from).collect(),
                Some(_) | None => items.iter_mut().for_each(|item| walk(key, item, secret)),
            }
        }
    }
}
