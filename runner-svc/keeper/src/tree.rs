//! Who descends from whom, as `/proc` shows it (proc(5)).
//!
//! Descent is followed by `/proc/PID/task/TID/children`, so that looking at
//! one tree costs as much as that tree is large, however many others there
//! are. A tree changes while it is read: what could have been missed makes a
//! look unsure, and whoever needs certainty looks again.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io;
use std::os::unix::fs::FileExt;

/// Room for one reading of a list of children: what the kernel gives at once.
const LIST: usize = 4096;

/// The fields of `/proc/PID/stat` that tell who belongs to whom (proc(5)).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) parent: u32,
    pub(crate) group: u32,
    pub(crate) session: u32,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
    /// Ended, but not yet collected by its parent.
    zombie: bool,
}

/// What became of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Look {
    Alive(Stat),
    /// Ended, not yet collected: its children have a new parent already.
    Ended,
    /// No such process.
    Gone,
    /// The kernel did not tell: out of memory or descriptors.
    Unknown,
}

/// Looks at a process.
pub(crate) fn look(pid: u32) -> Look {
    match fs::read(format!("/proc/{pid}/stat")) {
        Ok(bytes) => match parse(&bytes) {
            Some(stat) if stat.zombie => Look::Ended,
            Some(stat) => Look::Alive(stat),
            None => Look::Unknown,
        },
        Err(e) if is_gone(&e) => Look::Gone,
        Err(_) => Look::Unknown,
    }
}

/// When a process began, if it is there, ended or not.
pub(crate) fn start_time(pid: u32) -> Option<u64> {
    Some(parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)?.start_time)
}

/// The parent of a process that is there, ended or not.
pub(crate) fn parent(pid: u32) -> Option<u32> {
    Some(parse(&fs::read(format!("/proc/{pid}/stat")).ok()?)?.parent)
}

fn is_gone(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

fn parse(bytes: &[u8]) -> Option<Stat> {
    // The name is in parentheses and may contain any bytes, parentheses too.
    let end = bytes.iter().rposition(|b| *b == b')')?;
    let rest = std::str::from_utf8(bytes.get(end + 1..)?).ok()?;
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

/// The list of this thread's children. It is complete: a child leaves it only
/// by being collected, which this thread does, and those whose parent ends
/// while it is read are put at its end.
#[derive(Debug)]
pub(crate) struct OwnChildren {
    /// Kept open, so that a lack of descriptors cannot hide anybody; `None` on
    /// a kernel without CONFIG_PROC_CHILDREN.
    list: Option<File>,
    /// Room for it, kept: the list is read at each end of a program.
    text: Vec<u8>,
}

impl OwnChildren {
    pub(crate) fn new() -> Self {
        Self { list: File::open("/proc/thread-self/children").ok(), text: Vec::new() }
    }

    pub(crate) fn read(&mut self) -> io::Result<Vec<u32>> {
        let Some(list) = &mut self.list else { return children_by_scan(std::process::id()) };
        let mut len = 0;
        loop {
            // The kernel walks the list anew for each read: few large ones.
            self.text.resize((len + LIST).max(self.text.len()), 0);
            match list.read_at(self.text.get_mut(len..).unwrap_or_default(), len as u64) {
                Ok(0) => break,
                Ok(n) => len += n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(numbers(self.text.get(..len).unwrap_or_default()))
    }
}

#[cfg(test)]
impl OwnChildren {
    /// A list whose reading fails.
    pub(crate) fn unreadable() -> Self {
        Self { list: File::open("/").ok(), text: Vec::new() }
    }
}

#[cfg(test)]
impl Stat {
    pub(crate) fn of_session(session: u32, start_time: u64) -> Self {
        Self { parent: 1, group: session, session, start_time, zombie: false }
    }
}

fn numbers(text: &[u8]) -> Vec<u32> {
    let number = |word| std::str::from_utf8(word).ok()?.parse().ok();
    text.split(u8::is_ascii_whitespace).filter_map(number).collect()
}

/// The children of a process, those of all its threads.
pub(crate) fn children_of(pid: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        match fs::read(thread?.path().join("children")) {
            Ok(text) => children.extend(numbers(&text)),
            // The thread ended, which hands its children to another one, or the kernel does not have the file.
            Err(e) if is_gone(&e) => return children_by_scan(pid),
            Err(e) => return Err(e),
        }
    }
    Ok(children)
}

/// The same by a look at every process.
fn children_by_scan(parent: u32) -> io::Result<Vec<u32>> {
    let mut children = Vec::new();
    for entry in fs::read_dir("/proc")? {
        let Some(pid) = entry?.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        match fs::read(format!("/proc/{pid}/stat")) {
            Ok(bytes) if parse(&bytes).is_some_and(|stat| stat.parent == parent) => children.push(pid),
            Err(e) if !is_gone(&e) => return Err(e),
            Ok(_) | Err(_) => {}
        }
    }
    Ok(children)
}

/// Everybody alive at or below `tops`, which are children of `parent`, with
/// their start times; and whether that is certainly everybody. `ended` are
/// those known to have ended before: who ends during the look makes it unsure,
/// for its children have gone elsewhere.
pub(crate) fn descend(tops: Vec<u32>, parent: u32, ended: &mut BTreeSet<u32>) -> (BTreeMap<u32, u64>, bool) {
    let mut members = BTreeMap::new();
    let mut sure = true;
    let mut ahead: Vec<(u32, u32)> = tops.into_iter().map(|pid| (pid, parent)).collect();
    while let Some((pid, parent)) = ahead.pop() {
        // First the children: who is alive afterwards had them when they were read.
        let children = children_of(pid);
        match look(pid) {
            // A number that was used again, or somebody with a new parent, is found where it belongs or not at all.
            Look::Alive(stat) if stat.parent == parent => {
                let fresh = members.insert(pid, stat.start_time).is_none();
                match children {
                    Ok(children) if fresh => ahead.extend(children.into_iter().map(|child| (child, pid))),
                    Ok(_) => {}
                    Err(_) => sure = false,
                }
            }
            Look::Ended => sure &= !ended.insert(pid),
            Look::Alive(_) | Look::Gone | Look::Unknown => sure = false,
        }
    }
    (members, sure)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_name_full_of_parentheses_or_of_no_text_at_all_does_not_shift_the_fields() {
        for name in [&b"a) (b ) S"[..], b"\xff\xfe) Z 1"] {
            let fields = &b") S 7 42 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 0 0"[..];
            let stat = parse(&[b"42 (", name, fields].concat()).unwrap();
            let seen = (stat.parent, stat.group, stat.session, stat.start_time, stat.zombie);
            assert_eq!(seen, (7, 42, 41, 12345, false));
        }
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
        let (found, sure) = descend(vec![main.id()], std::process::id(), &mut BTreeSet::new());
        let (strangers, _) = descend(vec![main.id()], 1, &mut BTreeSet::new());
        let own = OwnChildren::new().read().unwrap();
        let scanned: BTreeSet<u32> = children_by_scan(main.id()).unwrap().into_iter().collect();
        let listed: BTreeSet<u32> = children_of(main.id()).unwrap().into_iter().collect();
        for pid in &expected {
            let pid = rustix::process::Pid::from_raw(i32::try_from(*pid).unwrap()).unwrap();
            rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
        }
        other.kill().unwrap();
        main.wait().unwrap();
        other.wait().unwrap();
        assert_eq!((found.into_keys().collect::<BTreeSet<_>>(), sure), (expected, true));
        assert!(strangers.is_empty(), "somebody else's child was taken for a member");
        assert!(own.contains(&main.id()) && own.contains(&other.id()), "{own:?}");
        assert_eq!(scanned, listed, "the two ways to find children differ");
    }

    #[test]
    fn who_ended_during_a_look_makes_it_unsure_and_who_ended_before_does_not() {
        let mut child = Command::new("true").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let options = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), options).unwrap();
        let mut ended = BTreeSet::new();
        let parent = std::process::id();
        assert_eq!(descend(vec![child.id()], parent, &mut ended), (BTreeMap::new(), false));
        assert_eq!(descend(vec![child.id()], parent, &mut ended), (BTreeMap::new(), true));
        child.wait().unwrap();
        assert_eq!(descend(vec![child.id()], parent, &mut ended), (BTreeMap::new(), false));
    }
}
