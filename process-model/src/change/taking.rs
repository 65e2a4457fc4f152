//! What an instance does when its spec changes. Decided here once: the runner
//! does it, and the registry counts on it when it rolls a change out.

use super::differing;
use crate::ProcessSpec;
use crate::spec::{Check, LogPolicy};

/// What an instance that runs one spec does to run another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Taking {
    /// Nothing: it notices no difference.
    Same,
    /// It takes the change in while it runs.
    InPlace,
    /// Its program is ended and started anew.
    Restart,
}

/// What an instance of `old` does when it is given `new`.
#[must_use]
pub fn taking(old: &ProcessSpec, new: &ProcessSpec) -> Taking {
    if restarts(old, new) {
        Taking::Restart
    } else if is_noticed(old, new) {
        Taking::InPlace
    } else {
        Taking::Same
    }
}

/// Whether the running program of `old` has to be started anew for `new`. The
/// run of a schedule that goes on is ended by no edit; the next one has it.
#[must_use]
pub fn restarts(old: &ProcessSpec, new: &ProcessSpec) -> bool {
    new.schedule.is_none() && is_another_program(old, new)
}

fn is_another_program(old: &ProcessSpec, new: &ProcessSpec) -> bool {
    old.sockets != new.sockets
        || (&old.command, &old.runtime, &old.working_dir, &old.env, &old.user, &old.log_file, &old.ports)
            != (&new.command, &new.runtime, &new.working_dir, &new.env, &new.user, &new.log_file, &new.ports)
        || (&old.execution, &old.limits, &old.notify_watchdog)
            != (&new.execution, &new.limits, &new.notify_watchdog)
        // Given to a program when it is started: a socket to speak on, and one pipe or two.
        || speaks(old) != speaks(new)
        || merges(old) != merges(new)
}

/// What the registry itself acts on: how many instances there are, where they go and how they change.
const ITS_OWN: [&str; 5] = ["instances", "autostart", "labels", "placement", "update"];

/// Whether two specs differ in more than what the registry itself acts on.
#[must_use]
pub fn is_noticed(old: &ProcessSpec, new: &ProcessSpec) -> bool {
    let mut noticed = false;
    differing::each(old, new, |field, _| noticed |= !ITS_OWN.contains(&field));
    noticed
}

/// Whether the program has a `NOTIFY_SOCKET`.
fn speaks(spec: &ProcessSpec) -> bool {
    spec.notify_watchdog.is_some() || matches!(spec.readiness.as_ref().map(|probe| &probe.check), Some(Check::Notify))
}

fn merges(spec: &ProcessSpec) -> bool {
    spec.logs.as_ref().map_or_else(|| LogPolicy::default().merge, |logs| logs.merge)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::{Command, RestartMode};

    #[test]
    fn a_program_is_started_anew_a_policy_is_taken_in_and_a_number_is_not_noticed() {
        let web = ProcessSpec::new("web".parse().unwrap(), Command::Shell("run".into()));
        let with = |edit: fn(&mut ProcessSpec)| {
            let mut spec = web.clone();
            edit(&mut spec);
            taking(&web, &spec)
        };
        assert_eq!(with(|spec| drop(spec.env.insert("A".into(), "1".into()))), Taking::Restart);
        assert_eq!(with(|spec| spec.restart.mode = RestartMode::Never), Taking::InPlace);
        assert_eq!(with(|spec| spec.stop.signal = crate::spec::Signal::INT), Taking::InPlace);
        assert_eq!(with(|spec| spec.instances = 7), Taking::Same);
        assert_eq!(with(|spec| spec.update = Some(Box::default())), Taking::Same);
        assert_eq!(with(|spec| spec.placement = Some(Box::default())), Taking::Same);
        assert_eq!(with(|spec| spec.autostart = !spec.autostart), Taking::Same);
        assert_eq!(with(|spec| drop(spec.labels.insert("a".into(), "b".into()))), Taking::Same);
    }
}
