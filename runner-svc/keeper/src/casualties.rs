//! Whom the kernel killed because memory was out. Of a limit of ours its cgroup
//! tells; of the machine's end of memory, and of limits that others have set,
//! only the kernel's own log says whom it hit.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

/// Longest record (`CONSOLE_EXT_LOG_MAX`, devkmsg_read).
const LONGEST: usize = 8192;
/// Who is remembered until we collect him: as many as can die in one go.
const MOST: usize = 256;
/// What stands in front of the number of whoever was killed.
const KILLED: &str = "Killed process ";

/// Reads the kernel's log, when there is something to be told apart.
#[derive(Debug)]
pub(crate) struct Casualties {
    /// `None`: it may not be read, or speaks of other numbers than ours.
    log: Option<File>,
    pids: VecDeque<u32>,
}

impl Casualties {
    /// From now on.
    pub(crate) fn watch() -> Self {
        let log = is_initial_namespace().then(|| open(Path::new("/dev/kmsg"))).flatten();
        Self { log, pids: VecDeque::new() }
    }

    /// Whether this process, which has just been collected, was one of them. The
    /// kernel says so at once, and its end takes as long as to free its memory.
    pub(crate) fn has(&mut self, pid: u32) -> bool {
        self.read();
        let place = self.pids.iter().position(|killed| *killed == pid);
        place.and_then(|place| self.pids.remove(place)).is_some()
    }

    /// A process of this number has just begun: who was killed under it before
    /// was another one.
    pub(crate) fn forget(&mut self, pid: u32) {
        self.read();
        self.pids.retain(|killed| *killed != pid);
    }

    fn read(&mut self) {
        let Some(log) = &mut self.log else { return };
        let mut record = [0_u8; LONGEST];
        loop {
            match log.read(&mut record) {
                Ok(0) => return,
                Ok(length) => {
                    let Some(pid) = record.get(..length).and_then(killed) else { continue };
                    if self.pids.len() == MOST {
                        self.pids.pop_front();
                    }
                    self.pids.push_back(pid);
                }
                // Older ones were overwritten: what comes next is what is left.
                Err(e) if e.raw_os_error() == Some(libc::EPIPE) => {}
                // There is no more, or no more of use.
                Err(_) => return,
            }
        }
    }
}

/// Not for whoever may not read it (syslog(2), `dmesg_restrict`).
fn open(path: &Path) -> Option<File> {
    let mut log = OpenOptions::new().read(true).custom_flags(libc::O_NONBLOCK).open(path).ok()?;
    log.seek(SeekFrom::End(0)).ok()?;
    Some(log)
}

/// The kernel counts processes as the first namespace does (`PROC_PID_INIT_INO`).
fn is_initial_namespace() -> bool {
    std::fs::read_link("/proc/self/ns/pid").is_ok_and(|name| name.as_os_str() == "pid:[4026531836]")
}

/// Whom a record (`PRIORITY,NUMBER,TIME,FLAGS;TEXT`) says to be killed. Others
/// than the kernel can write into the log, with another facility.
fn killed(record: &[u8]) -> Option<u32> {
    let (head, text) = std::str::from_utf8(record).ok()?.split_once(';')?;
    let priority: u32 = head.split(',').next()?.parse().ok()?;
    let number = text.lines().next()?.split_once(KILLED).filter(|_| priority < 8)?.1;
    number.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_kernels_own_word_counts() {
        let said = |text: &str| killed(text.as_bytes());
        let of_machine = "3,991,7000,-;Out of memory: Killed process 4242 (java) total-vm:81kB, anon-rss:7kB\n";
        assert_eq!(said(of_machine), Some(4242));
        assert_eq!(said("3,991,7000,-;Memory cgroup out of memory: Killed process 77 (tail) total-vm:1kB\n"), Some(77));
        assert_eq!(said("11,991,7000,-;Out of memory: Killed process 4242 (java)\n"), None, "a user's word");
        assert_eq!(said("6,992,7000,-;oom_reaper: reaped process 4242 (java)\n"), None);
        assert_eq!(
            said("6,993,7000,-;br0: port 1(uplink) entered disabled state\n SUBSYSTEM=Killed process 5\n"),
            None
        );
        for strange in
            ["", ";", "3,1;Killed process ", "x,1,2,-;Killed process 9 (a)", "3,1,2,-;Killed process 99999999999"]
        {
            assert_eq!(said(strange), None, "{strange:?}");
        }
    }

    #[test]
    fn each_is_told_once_and_only_the_newest_are_remembered() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("kmsg");
        std::fs::write(&path, "").unwrap();
        let mut casualties = Casualties { log: open(&path), pids: (1..=300).collect() };
        assert!(casualties.has(300) && !casualties.has(300));
        assert!(!casualties.has(301));
        casualties.forget(299);
        assert!(!casualties.has(299) && casualties.has(298), "another one has its number");
        let mut blind = Casualties { log: None, pids: VecDeque::new() };
        assert!(!blind.has(1));
    }
}
