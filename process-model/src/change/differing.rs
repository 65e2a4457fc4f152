//! The fields of two specs that differ. Most do not, and to write a field
//! down costs a hundred times what comparing it does: every replica does this
//! for every change that is committed.

use crate::ProcessSpec;
use serde::Serialize;
use serde_json::{Map, Value};

/// Fields by the names that they are saved with.
pub(super) type Fields = Map<String, Value>;

/// Names all fields, so that a new one cannot be forgotten here.
macro_rules! each_that_differs {
    ($before:ident, $after:ident, $found:ident: $($field:ident),+ $(,)?) => {{
        let ProcessSpec { $($field),+ } = $after;
        $(if $before.$field != *$field {
            $found(stringify!($field), &|| [written(&$before.$field), written($field)]);
        })+
    }};
}

/// Tells of each field that differs its name, as it is saved with, and how to write both sides down.
pub(super) fn each(before: &ProcessSpec, after: &ProcessSpec, mut found: impl FnMut(&str, &dyn Fn() -> [Value; 2])) {
    each_that_differs!(before, after, found:
        name, command, runtime, working_dir, env, user, instances, ports, restart, stop, readiness, log_file,
        log_watchdog, execution, hooks, sockets, liveness, notify_watchdog, log_rules, logs, limits, depends_on,
        schedule, placement, update, singleton, labels, autostart,
    );
}

/// What differs, in the first and in the second.
pub(super) fn differing(before: &ProcessSpec, after: &ProcessSpec) -> (Fields, Fields) {
    let mut sides = (Fields::new(), Fields::new());
    each(before, after, |name, both| {
        let [before, after] = both();
        sides.0.insert(name.to_owned(), before);
        sides.1.insert(name.to_owned(), after);
    });
    sides
}

fn written(field: &impl Serialize) -> Value {
    // A spec is text, numbers and lists of them; that can always be written.
    serde_json::to_value(field).unwrap_or_default()
}
