//! Who belongs to a run: the main process, its session and group, everybody
//! who descends from it, and orphans of it that became the keeper's children.
//!
//! The keeper is the sub-reaper of all instances (PR_SET_CHILD_SUBREAPER,
//! prctl(2)), so every process of a run stays a descendant of the keeper,
//! whatever it does. An orphan that left its session is known by the
//! `PM_INSTANCE` of its environment.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

/// The fields of `/proc/PID/stat` that tell who belongs to whom (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
    /// Ended, but not yet collected by its parent.
    pub(crate) zombie: bool,
}

/// Reads a process's fields; `None` when there is no such process.
pub(crate) fn stat(pid: u32) -> Option<Stat> {
    parse(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

fn parse(text: &str) -> Option<Stat> {
    // The name is in parentheses and may contain anything, parentheses too.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let number = |i: usize| fields.get(i).and_then(|f| f.parse().ok());
    Some(Stat {
        zombie: matches!(fields.first(), Some(&("Z" | "X"))),
        parent: number(1)?,
        group: number(2)?,
        session: number(3)?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

/// All processes at one moment.
#[derive(Debug, Default)]
pub(crate) struct Snapshot {
    processes: BTreeMap<u32, Stat>,
}

impl Snapshot {
    pub(crate) fn take() -> Self {
        let mut processes = BTreeMap::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
            if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat(pid)?))) {
                processes.insert(pid, stat);
            }
        }
        Self { processes }
    }

    /// The living members of the tree of `instance`, whose main process is or
    /// was `main`, begun at `start_time`. `others` are main processes of other
    /// runs: they and theirs are never members.
    pub(crate) fn members(
        &self,
        keeper: u32,
        main: u32,
        start_time: u64,
        instance: &str,
        others: &BTreeSet<u32>,
    ) -> BTreeSet<u32> {
        let mut members = BTreeSet::new();
        // Parents come before children when we go by descent, so one walk down from the keeper finds all.
        let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
        for (pid, stat) in &self.processes {
            children.entry(stat.parent).or_default().push(*pid);
        }
        let mut ahead: Vec<(u32, bool)> = vec![(keeper, false)];
        while let Some((parent, parent_is_member)) = ahead.pop() {
            for pid in children.get(&parent).into_iter().flatten() {
                let Some(stat) = self.processes.get(pid) else { continue };
                if others.contains(pid) {
                    continue;
                }
                let theirs = others.contains(&stat.session) || others.contains(&stat.group);
                let by_number = stat.session == main || stat.group == main;
                let orphan = parent == keeper && !theirs;
                let member = parent_is_member
                    || *pid == main
                    || stat.start_time >= start_time && (by_number || orphan && carries(*pid, instance));
                if member && !stat.zombie {
                    members.insert(*pid);
                }
                ahead.push((*pid, member));
            }
        }
        members
    }

    pub(crate) fn start_time(&self, pid: u32) -> Option<u64> {
        self.processes.get(&pid).map(|stat| stat.start_time)
    }
}

/// Whether a process was started with the environment of `instance`.
fn carries(pid: u32, instance: &str) -> bool {
    let wanted = format!("PM_INSTANCE={instance}");
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|b| *b == 0).any(|entry| entry == wanted.as_bytes()))
}

/// The keeper's own children by `/proc/self/task/TID/children` (proc(5)):
/// cheap, and enough to know that there is no orphan. `None` where the kernel
/// does not offer the file.
pub(crate) fn own_children() -> Option<Vec<u32>> {
    let pid = std::process::id();
    let text = fs::read_to_string(format!("/proc/self/task/{pid}/children")).ok()?;
    Some(text.split_ascii_whitespace().filter_map(|word| word.parse().ok()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) (b ) S) S 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 0 0";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.group, stat.session, stat.start_time, stat.zombie), (7, 42, 41, 12345, false));
    }

    #[test]
    fn descendants_and_session_mates_are_members_and_others_are_not() {
        let stat = |parent, group, session| Stat { parent, group, session, start_time: 50, zombie: false };
        let processes = BTreeMap::from([
            (10, stat(1, 10, 10)),  // the keeper
            (20, stat(10, 20, 20)), // main
            (21, stat(20, 20, 20)), // its child
            (22, stat(21, 22, 22)), // its grandchild in a session of its own
            (23, stat(10, 20, 20)), // an orphan of its session
            (30, stat(10, 30, 30)), // another run
            (31, stat(30, 30, 30)), // and its child
            (40, stat(1, 20, 20)),  // not below the keeper
        ]);
        let snapshot = Snapshot { processes };
        let members = snapshot.members(10, 20, 50, "no-such-instance-1", &BTreeSet::from([30]));
        assert_eq!(members, BTreeSet::from([20, 21, 22, 23]));
    }
}
