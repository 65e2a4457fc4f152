//! One changed field, and all of them between two specs.

use super::differing::differing;
use super::flat::{Shown, flat, whole};
use crate::ProcessSpec;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// A field before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldChange {
    /// Where it is, as `restart.max_restarts` or `env.NAME`.
    pub path: String,
    /// Its value before; `None`: it was not set.
    pub before: Option<String>,
    /// Its value after; `None`: it is not set.
    pub after: Option<String>,
    /// Whether something secret in the values is masked.
    pub hidden: bool,
}

impl FieldChange {
    /// The same with values of at most `max` characters.
    #[must_use]
    pub fn shortened(mut self, max: usize) -> Self {
        for value in [&mut self.before, &mut self.after].into_iter().flatten() {
            if let Some((end, _)) = value.char_indices().nth(max) {
                value.truncate(end);
                value.push('…');
            }
        }
        self
    }
}

/// What differs, by path. `before`: `None` when there was no spec.
#[must_use]
pub fn changes(before: Option<&ProcessSpec>, after: &ProcessSpec) -> Vec<FieldChange> {
    let (before, after) = match before {
        Some(before) => {
            let (before, after) = differing(before, after);
            (flat(&Value::Object(before)), flat(&Value::Object(after)))
        }
        None => (BTreeMap::new(), whole(after)),
    };
    let mut fields: BTreeMap<String, (Option<Shown>, Option<Shown>)> =
        before.into_iter().map(|(path, old)| (path, (Some(old), None))).collect();
    after.into_iter().for_each(|(path, new)| fields.entry(path).or_default().1 = Some(new));
    let is_hidden = |value: &Option<Shown>| value.as_ref().is_some_and(|value| value.hidden);
    fields
        .into_iter()
        .filter(|(_, (old, new))| old != new)
        .map(|(path, (old, new))| FieldChange {
            path,
            hidden: is_hidden(&old) || is_hidden(&new),
            before: old.map(|value| value.shown),
            after: new.map(|value| value.shown),
        })
        .collect()
}
