//! The fields of two specs that differ. Most do not, and to write a field
//! down costs a hundred times what comparing it does: every replica does this
//! for every change that is committed.

use crate::ProcessSpec;
use serde::Serialize;
use serde_json::{Map, Value};

/// Fields by the names that they are saved with.
pub(super) type Fields = Map<String, Value>;

/// Names all fields, so that a new one cannot be forgotten here.
macro_rules! differing {
    ($before:ident, $after:ident: $($field:ident),+ $(,)?) => {{
        let mut sides = (Fields::new(), Fields::new());
        let ProcessSpec { $($field),+ } = $after;
        $(if $before.$field != *$field {
            put(&mut sides.0, stringify!($field), &$before.$field);
            put(&mut sides.1, stringify!($field), $field);
        })+
        sides
    }};
}

/// What differs, in the first and in the second.
pub(super) fn differing(before: &ProcessSpec, after: &ProcessSpec) -> (Fields, Fields) {
    differing!(before, after:
        name, command, runtime, working_dir, env, user, instances, ports, restart, stop, readiness, log_file,
        log_watchdog, execution, hooks, sockets, liveness, notify_watchdog, log_rules, logs, limits, depends_on,
        schedule, placement, update, singleton, labels, autostart,
    )
}

fn put(fields: &mut Fields, name: &str, value: &impl Serialize) {
    // A spec is text, numbers and lists of them; that can always be written.
    fields.insert(name.to_owned(), serde_json::to_value(value).unwrap_or_default());
}
