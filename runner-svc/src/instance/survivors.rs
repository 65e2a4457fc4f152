//! Who is left of a tree that cannot be killed: for the message that says so.

use crate::io::leftovers::MainProcess;
use procfs::process::{self, Stat};
use std::collections::BTreeSet;

/// Processes that are named; of more only the number.
const NAMED: usize = 8;

/// Those of the tree of `main` that are still there, in words: as
/// `pid 12 (dd, state D), pid 13 (sh, state S)`. Empty when nobody is found.
/// Reads every process of the machine once.
pub(super) fn in_words(main: MainProcess) -> String {
    let Ok(all) = process::all_processes() else { return String::new() };
    let stats: Vec<Stat> = all.filter_map(|one| one.ok()?.stat().ok()).filter(|stat| stat.state != 'Z').collect();
    let root = i32::try_from(main.pid).unwrap_or(0);
    // A number that is used again is somebody else's, and everybody of the tree is younger than its root.
    let is_old_enough = |stat: &Stat| stat.starttime >= main.start_time;
    let belongs = |stat: &Stat| (stat.pid == root && stat.starttime == main.start_time) || stat.session == root;
    let mut left: BTreeSet<i32> =
        stats.iter().filter(|stat| is_old_enough(stat) && belongs(stat)).map(|stat| stat.pid).collect();
    loop {
        let more = stats.iter().filter(|stat| is_old_enough(stat) && left.contains(&stat.ppid)).map(|stat| stat.pid);
        let more: Vec<i32> = more.filter(|pid| !left.contains(pid)).collect();
        if more.is_empty() {
            break;
        }
        left.extend(more);
    }
    let shown = stats.iter().filter(|stat| left.contains(&stat.pid)).take(NAMED);
    let mut words: Vec<String> =
        shown.map(|stat| format!("pid {} ({}, state {})", stat.pid, stat.comm, stat.state)).collect();
    if left.len() > NAMED {
        words.push(format!("and {} more", left.len() - NAMED));
    }
    words.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn whoever_is_left_is_named_with_its_state() {
        let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
        let stat = process::Process::new(i32::try_from(child.id()).unwrap()).unwrap().stat().unwrap();
        let words = in_words(MainProcess { pid: child.id(), start_time: stat.starttime });
        let other = in_words(MainProcess { pid: child.id(), start_time: stat.starttime + 1 });
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(words.starts_with(&format!("pid {} (", child.id())), "{words}");
        assert_eq!(other, "", "a number that is used again");
    }
}
