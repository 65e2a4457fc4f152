//! One pass over `/proc`: every process of the machine, and to which tree it
//! belongs. Two system calls and a read for each process, and no descriptor is
//! kept: there may be thousands.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;

/// Longest line of ancestors; only guards against a loop made by numbers that
/// are used again within one pass.
const GENERATIONS: usize = 64;

/// What is counted of a process (proc(5), `/proc/PID/stat`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counted {
    pub(crate) ppid: i32,
    pub(crate) session: i32,
    /// Clock ticks, in user and kernel mode.
    pub(crate) ticks: u64,
    pub(crate) threads: u32,
    /// Pages that are resident.
    pub(crate) pages: u64,
}

/// Every process, by number.
pub(crate) struct Census {
    processes: BTreeMap<i32, Counted>,
}

impl Census {
    pub(crate) fn take() -> Self {
        let mut line = Vec::with_capacity(512);
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let processes = pids.filter_map(|pid| Some((pid, count(pid, &mut line)?))).collect();
        Self { processes }
    }

    /// Every process of a tree, with the index of its tree. A tree is its main
    /// process, everybody below it, its session, and orphans that carry its
    /// mark.
    pub(crate) fn members<'a>(&'a self, mains: &'a [i32]) -> impl Iterator<Item = (usize, i32, &'a Counted)> {
        let trees = Trees::new(self, mains);
        self.processes.iter().filter_map(move |(pid, counted)| Some((trees.of(*pid)?, *pid, counted)))
    }
}

/// Which tree a process is of.
struct Trees<'a> {
    census: &'a Census,
    mains: BTreeMap<i32, usize>,
    /// Whoever has main processes as children adopts orphans, too: keepers.
    keepers: BTreeSet<i32>,
    /// Marks of the main processes; looked for when there is an orphan.
    marks: OnceCell<BTreeMap<u64, usize>>,
}

impl<'a> Trees<'a> {
    fn new(census: &'a Census, mains: &[i32]) -> Self {
        let keepers = mains.iter().filter_map(|pid| Some(census.processes.get(pid)?.ppid)).collect();
        let mains = mains.iter().enumerate().map(|(i, pid)| (*pid, i)).collect();
        Self { census, mains, keepers, marks: OnceCell::new() }
    }

    fn of(&self, pid: i32) -> Option<usize> {
        let mut at = pid;
        for _ in 0..GENERATIONS {
            if let Some(tree) = self.mains.get(&at) {
                return Some(*tree);
            }
            let counted = self.census.processes.get(&at)?;
            if let Some(tree) = self.mains.get(&counted.session) {
                // An orphan of a run's session.
                return Some(*tree);
            }
            if self.keepers.contains(&counted.ppid) {
                return self.by_mark(at);
            }
            at = counted.ppid;
        }
        None
    }

    /// An orphan that made a session of its own still has the mark that its
    /// keeper gave to the whole tree.
    fn by_mark(&self, pid: i32) -> Option<usize> {
        let marks = self
            .marks
            .get_or_init(|| self.mains.iter().filter_map(|(main, tree)| Some((mark(*main)?, *tree))).collect());
        marks.get(&mark(pid)?).copied()
    }
}

/// The hard limit of file locks, when somebody set one: no kernel has looked
/// at it since Linux 2.4.25, so it tells who belongs together.
fn mark(pid: i32) -> Option<u64> {
    let limits = std::fs::read_to_string(format!("/proc/{pid}/limits")).ok()?;
    let line = limits.lines().find_map(|line| line.strip_prefix("Max file locks"))?;
    line.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// `None` when it is gone.
fn count(pid: i32, line: &mut Vec<u8>) -> Option<Counted> {
    line.clear();
    // The kernel's longest line of this kind is below 1 KiB.
    File::open(format!("/proc/{pid}/stat")).ok()?.take(4096).read_to_end(line).ok()?;
    parse(line)
}

fn parse(line: &[u8]) -> Option<Counted> {
    // The name may hold anything, also parentheses and line ends; what comes after the last one is numbers.
    let name_end = line.iter().rposition(|byte| *byte == b')')?;
    let rest = std::str::from_utf8(line.get(name_end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    // Numbered as in proc(5): the first of `rest` is 3.
    let ppid = fields.nth(1)?.parse().ok()?;
    let session = fields.nth(1)?.parse().ok()?;
    let user: u64 = fields.nth(7)?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    let threads = fields.nth(4)?.parse().ok()?;
    let pages = fields.nth(3)?.parse().unwrap_or(0);
    Some(Counted { ppid, session, ticks: user.saturating_add(system), threads, pages })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_found_whatever_the_name_is() {
        let tail = "S 11 12 13 14 15 16 17 18 19 20 100 23 24 25 26 27 3 29 30 31 777 33 34";
        for name in ["sh", "a) S 1 (b", "\n(", "\u{fffd})"] {
            let counted = parse(format!("7 ({name}) {tail}").as_bytes()).unwrap();
            assert_eq!(counted, Counted { ppid: 11, session: 13, ticks: 123, threads: 3, pages: 777 }, "{name:?}");
        }
        for broken in ["", "7 (sh", "7 (sh) S 1 2", ")"] {
            assert_eq!(parse(broken.as_bytes()), None, "{broken:?}");
        }
    }

    #[test]
    fn we_are_in_the_census_with_what_procfs_says() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let census = Census::take();
        let ours = census.processes[&pid];
        let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
        assert_eq!((ours.ppid, ours.session), (stat.ppid, stat.session));
        assert!(ours.pages > 0 && ours.threads > 0);
    }

    #[test]
    fn an_orphan_with_a_session_of_its_own_is_known_by_its_mark() {
        let counted = |ppid, session| Counted { ppid, session, ticks: 0, threads: 1, pages: 1 };
        // Numbers of nobody, so that nobody has a mark: 50 is the keeper of 100 and 200.
        let (keeper, first, second) = (4_194_300, 4_194_301, 4_194_302);
        let processes = BTreeMap::from([
            (keeper, counted(1, keeper)),
            (first, counted(keeper, first)),
            (second, counted(keeper, second)),
            (4_194_303, counted(first, 4_194_303)),
            (4_194_304, counted(keeper, second)),
            (4_194_305, counted(keeper, 4_194_305)),
        ]);
        let census = Census { processes };
        let trees: BTreeMap<i32, usize> = census.members(&[first, second]).map(|(tree, pid, _)| (pid, tree)).collect();
        let expected = [(first, 0), (second, 1), (4_194_303, 0), (4_194_304, 1)];
        assert_eq!(trees, BTreeMap::from(expected), "below it, of its session; and nobody without a mark");
    }
}
