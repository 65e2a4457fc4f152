//! Who belongs to a run: the main process, everybody who descends from it,
//! and orphans of it that became the keeper's children.
//!
//! The keeper is the sub-reaper of all instances (PR_SET_CHILD_SUBREAPER,
//! prctl(2)): whoever loses its parent becomes the keeper's child. So its
//! children are the main processes and the orphans, and everybody else of a
//! run descends from one of them. An orphan is known by the session or group
//! of its run, or, if it left both, by the `PM_INSTANCE` of its environment.
//!
//! Descent is followed by `/proc/PID/task/TID/children` (proc(5)), so that
//! looking at one tree costs as much as that tree is large, however many
//! others there are.

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

/// The run that is asked about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<'a> {
    /// Its main process.
    pub(crate) main: u32,
    /// Whether that lives: its number may be somebody else's afterwards.
    pub(crate) alive: bool,
    /// When that began: whoever is older is somebody else.
    pub(crate) start_time: u64,
    /// The instance.
    pub(crate) instance: &'a str,
}

/// The living members of a run's tree, with their start times. `orphans` are
/// the keeper's children that are no main process.
pub(crate) fn members(root: Root<'_>, orphans: &[u32]) -> BTreeMap<u32, u64> {
    let mut members = BTreeMap::new();
    let mut ahead: Vec<u32> = root.alive.then_some(root.main).into_iter().collect();
    ahead.extend(orphans.iter().copied().filter(|pid| is_orphan_of(*pid, root)));
    let mut seen = BTreeSet::new();
    while let Some(pid) = ahead.pop() {
        let Some(stat) = stat(pid).filter(|stat| stat.start_time >= root.start_time) else { continue };
        if !seen.insert(pid) {
            continue;
        }
        if !stat.zombie {
            members.insert(pid, stat.start_time);
        }
        ahead.extend(children_of(pid));
    }
    members
}

fn is_orphan_of(pid: u32, root: Root<'_>) -> bool {
    stat(pid).is_some_and(|stat| {
        stat.start_time >= root.start_time
            && (stat.session == root.main || stat.group == root.main || carries(pid, root.instance))
    })
}

/// Whether a process was started with the environment of `instance`.
fn carries(pid: u32, instance: &str) -> bool {
    let wanted = format!("PM_INSTANCE={instance}");
    fs::read(format!("/proc/{pid}/environ"))
        .is_ok_and(|environment| environment.split(|b| *b == 0).any(|entry| entry == wanted.as_bytes()))
}

/// The children of a process, those of all its threads.
pub(crate) fn children_of(pid: u32) -> Vec<u32> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten() {
        match fs::read_to_string(thread.path().join("children")) {
            Ok(text) => children.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok())),
            // Gone meanwhile, or a kernel without CONFIG_PROC_CHILDREN.
            Err(_) if stat(pid).is_some() => return children_by_scan(pid),
            Err(_) => {}
        }
    }
    children
}

/// The same for kernels that do not offer the file: a look at every process.
fn children_by_scan(parent: u32) -> Vec<u32> {
    fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == parent))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_full_of_parentheses_does_not_shift_the_fields() {
        let line = "42 (a) (b ) S) S 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 0 0";
        let stat = parse(line).unwrap();
        assert_eq!((stat.parent, stat.group, stat.session, stat.start_time, stat.zombie), (7, 42, 41, 12345, false));
    }

    #[test]
    fn a_tree_is_everybody_below_its_main_process_and_nobody_else() {
        use std::io::{BufRead, BufReader};
        let mut main = Command::new("sh")
            .args(["-c", "setsid sleep 1000 & echo $!; sleep 1000 & echo $!; wait"])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut other = Command::new("sleep").arg("1000").spawn().unwrap();
        let lines = BufReader::new(main.stdout.take().unwrap()).lines().take(2);
        let mut expected: BTreeSet<u32> = lines.map(|line| line.unwrap().parse().unwrap()).collect();
        expected.insert(main.id());
        let root =
            Root { main: main.id(), alive: true, start_time: stat(main.id()).unwrap().start_time, instance: "none-1" };
        let found: BTreeSet<u32> = members(root, &[other.id()]).into_keys().collect();
        let scanned: BTreeSet<u32> = children_by_scan(main.id()).into_iter().collect();
        let listed: BTreeSet<u32> = children_of(main.id()).into_iter().collect();
        for pid in &expected {
            let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        other.kill().unwrap();
        main.wait().unwrap();
        other.wait().unwrap();
        assert_eq!(found, expected);
        assert_eq!(scanned, listed, "the two ways to find children differ");
    }
}
