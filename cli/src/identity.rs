//! Which process a number meant: a PID alone may have been given to another
//! process since. Boot, PID and start time together name one for ever.

use runner_svc::boot_id;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fd::OwnedFd;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::io;
use std::time::{Duration, Instant};

/// One process of one boot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Its number.
    pub pid: u32,
    /// When it started, in clock ticks since boot (proc_pid_stat(5), field 22).
    pub start_time: u64,
    /// The kernel's boot id.
    pub boot_id: String,
}

impl Identity {
    /// This process.
    ///
    /// # Errors
    /// `/proc` is not there.
    pub fn of_self() -> io::Result<Self> {
        let pid = std::process::id();
        Ok(Self { pid, start_time: start_time(pid)?, boot_id: boot_id()? })
    }

    /// A handle of that very process; `None` when it has ended.
    ///
    /// # Errors
    /// `/proc` or pidfds are not there.
    pub fn open(&self) -> io::Result<Option<Handle>> {
        if boot_id()? != self.boot_id {
            return Ok(None);
        }
        let Some(pid) = i32::try_from(self.pid).ok().and_then(Pid::from_raw) else { return Ok(None) };
        let fd = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(fd) => fd,
            Err(rustix::io::Errno::SRCH) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        // The handle is taken first: if the start time fits now, it fits what
        // the handle holds, however the numbers are reused afterwards.
        match start_time(self.pid) {
            Ok(start) if start == self.start_time => {
                let handle = Handle(fd);
                Ok(if handle.wait(Duration::ZERO)? { None } else { Some(handle) })
            }
            Ok(_) => Ok(None),
            Err(e) if matches!(e.kind(), io::ErrorKind::NotFound) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// Whether it runs. What cannot be found out counts as running: nothing is
    /// taken over on a guess.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.open().map_or(true, |handle| handle.is_some())
    }
}

/// A process that cannot be mistaken for another.
#[derive(Debug)]
pub struct Handle(OwnedFd);

impl Handle {
    /// Asks it to end.
    ///
    /// # Errors
    /// It belongs to somebody else.
    pub fn terminate(&self) -> io::Result<()> {
        match pidfd_send_signal(&self.0, Signal::TERM) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(e) => Err(e.into()),
        }
    }

    /// Waits for its end, at most this long; says whether it has ended.
    ///
    /// # Errors
    /// The system refuses to wait.
    pub fn wait(&self, at_most: Duration) -> io::Result<bool> {
        let deadline = Instant::now().checked_add(at_most);
        loop {
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = left.map(|left| Timespec {
                tv_sec: i64::try_from(left.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(left.subsec_nanos()),
            });
            let mut fds = [PollFd::new(&self.0, PollFlags::IN)];
            match poll(&mut fds, timeout.as_ref()) {
                Ok(ready) => return Ok(ready > 0),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e.into()),
            }
        }
    }
}

fn start_time(pid: u32) -> io::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name may hold spaces and brackets: fields count from the last bracket.
    stat.rsplit_once(')')
        .and_then(|(_, rest)| rest.split_ascii_whitespace().nth(19))
        .and_then(|field| field.parse().ok())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("/proc/{pid}/stat has no start time")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_another_start_or_boot_is_not() {
        let me = Identity::of_self().unwrap();
        assert!(me.is_alive());
        assert!(!Identity { start_time: me.start_time + 1, ..me.clone() }.is_alive());
        assert!(!Identity { boot_id: "another".to_owned(), ..me.clone() }.is_alive());
        assert!(!Identity { pid: 0, ..me }.is_alive());
    }

    #[test]
    fn a_handle_sees_the_end_of_its_process_and_a_zombie_counts_as_ended() {
        let mut child = std::process::Command::new("/bin/cat").stdin(std::process::Stdio::piped()).spawn().unwrap();
        let pid = child.id();
        let identity = Identity { pid, start_time: start_time(pid).unwrap(), boot_id: boot_id().unwrap() };
        let handle = identity.open().unwrap().expect("it runs");
        assert!(!handle.wait(Duration::ZERO).unwrap());
        handle.terminate().unwrap();
        assert!(handle.wait(Duration::from_secs(10)).unwrap());
        assert!(!identity.is_alive());
        child.wait().unwrap();
    }
}
