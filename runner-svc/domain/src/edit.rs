//! What an edit of a spec asks for: a restart, or a change in place.

use process_model::{ProcessSpec, change};

/// The difference between two specs of a process, by what follows from it.
/// What is in none of these (stop, hooks, labels) is used when it is needed
/// next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // Each is one answer about the same pair.
pub(crate) struct Edit {
    /// The running program is not the one that the new spec asks for, and has to end.
    pub(crate) program: bool,
    /// Something is observed otherwise: it is begun anew.
    pub(crate) watching: bool,
    /// Among that, readiness.
    pub(crate) readiness: bool,
    /// Its output is kept otherwise.
    pub(crate) logs: bool,
    /// It may run for longer, or not as long.
    pub(crate) max_runtime: bool,
    /// Whether it is started again after an ending, how soon or how often.
    pub(crate) restarts: bool,
    /// Among that, how soon.
    pub(crate) delays: bool,
    /// Other sockets are held for it.
    pub(crate) sockets: bool,
    /// It depends on something else.
    pub(crate) dependencies: bool,
    /// Among that, it did not depend on anything.
    pub(crate) first_dependencies: bool,
    /// It had a schedule, and has none any more.
    pub(crate) unscheduled: bool,
}

impl Edit {
    pub(crate) fn between(old: &ProcessSpec, new: &ProcessSpec) -> Self {
        let sockets = old.sockets != new.sockets;
        let readiness = old.readiness != new.readiness;
        let delays = old.restart.backoff != new.restart.backoff;
        Self {
            program: change::restarts(old, new),
            watching: readiness
                || (&old.liveness, &old.log_watchdog, &old.log_rules, &old.restart.max_memory)
                    != (&new.liveness, &new.log_watchdog, &new.log_rules, &new.restart.max_memory),
            readiness,
            logs: old.logs != new.logs,
            max_runtime: old.restart.max_runtime != new.restart.max_runtime,
            restarts: delays
                || (old.restart.mode, old.restart.max_restarts, &old.restart.limit, &old.restart.codes)
                    != (new.restart.mode, new.restart.max_restarts, &new.restart.limit, &new.restart.codes),
            delays,
            sockets,
            dependencies: old.depends_on != new.depends_on,
            first_dependencies: old.depends_on.is_empty() && !new.depends_on.is_empty(),
            unscheduled: old.schedule.is_some() && new.schedule.is_none(),
        }
    }
}
