//! What the kernel says of a process.

use crate::until;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use std::collections::HashMap;
use std::os::fd::AsFd;
use std::time::Duration;

/// Whether it exists and is no zombie.
#[must_use]
pub fn is_running(pid: u32) -> bool {
    state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// Its state letter of proc_pid_stat(5); `None` when there is none.
#[must_use]
pub fn state(pid: u32) -> Option<char> {
    stat_field(pid, 0)?.chars().next()
}

/// Its parent.
#[must_use]
pub fn parent(pid: u32) -> Option<u32> {
    stat_field(pid, 1)?.parse().ok()
}

/// When it started, in clock ticks since boot: with the PID it names one
/// process for ever.
#[must_use]
pub fn start_time(pid: u32) -> Option<u64> {
    stat_field(pid, 19)?.parse().ok()
}

/// The fields of /proc/PID/stat after the name, which may hold anything.
fn stat_field(pid: u32, index: usize) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.split(' ').nth(index).map(str::to_owned)
}

/// A variable of the environment that it was started with.
#[must_use]
pub fn environment_variable(pid: u32, name: &str) -> Option<String> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|byte| *byte == 0).find_map(|entry| {
        let entry = String::from_utf8_lossy(entry);
        entry.split_once('=').filter(|(key, _)| *key == name).map(|(_, value)| value.to_owned())
    })
}

/// What it has in memory of its own, in KiB; 0 when it is gone. Pages of its program are not counted: they come with the
/// first use, and go when others need the room.
#[must_use]
pub fn resident_kib(pid: u32) -> u64 {
    let line = status_line(pid, "RssAnon");
    line.and_then(|line| line.trim_end_matches(" kB").parse().ok()).unwrap_or_default()
}

/// What it is called in its own PID namespace.
#[must_use]
pub fn innermost(pid: u32) -> Option<u32> {
    status_line(pid, "NSpid")?.split_whitespace().next_back()?.parse().ok()
}

/// Its PID namespace; `None` for one that has ended.
pub(crate) fn pid_namespace(pid: u32) -> Option<std::path::PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/ns/pid")).ok()
}

/// A line of proc_pid_status(5).
fn status_line(pid: u32, name: &str) -> Option<String> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    status.lines().find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim().to_owned()))
}

/// Its arguments, the program first.
#[must_use]
pub fn arguments(pid: u32) -> Vec<String> {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

/// Every process that exists now.
#[must_use]
pub fn all() -> Vec<u32> {
    let entries = std::fs::read_dir("/proc").expect("/proc is there");
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

/// Everything below `root`, not itself.
#[must_use]
pub fn descendants(root: u32) -> Vec<u32> {
    below([root])
}

/// Everything below any of these, by one look at all processes, the nearest first; not these themselves, unless one
/// is below another.
#[must_use]
pub fn below(roots: impl IntoIterator<Item = u32>) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in all() {
        if let Some(parent) = parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found: Vec<u32> = roots.into_iter().collect();
    let (roots, mut next) = (found.len(), 0);
    while let Some(parent) = found.get(next) {
        // Taken out: who is below two of them is met once.
        found.extend(children.remove(parent).unwrap_or_default());
        next += 1;
    }
    found.split_off(roots)
}

/// The keeper of a runner: the same program, below it.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn keeper_of(runner: u32) -> u32 {
    let program = |pid: u32| std::fs::read_link(format!("/proc/{pid}/exe")).ok();
    let ours = program(runner).expect("the runner runs");
    let keeper = descendants(runner).into_iter().find(|pid| program(*pid).as_ref() == Some(&ours));
    keeper.expect("the keeper runs below its runner")
}

/// Waits for the end of a process that need not be a child of ours; false when
/// it has not ended within the deadline.
///
/// # Panics
/// When the system has no pidfd.
#[must_use]
pub fn ends(pid: u32) -> bool {
    let Some(raw) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return true };
    let Ok(pidfd) = pidfd_open(raw, PidfdFlags::empty()) else { return !is_running(pid) };
    readable_within(&pidfd, crate::DEADLINE)
}

/// Waits until a descriptor has something; false when `wait` is over before.
pub(crate) fn readable_within(descriptor: &impl AsFd, wait: Duration) -> bool {
    let wait = Timespec { tv_sec: i64::try_from(wait.as_secs()).unwrap(), tv_nsec: wait.subsec_nanos().into() };
    poll(&mut [PollFd::new(descriptor, PollFlags::IN)], Some(&wait)).expect("a descriptor can be waited for") == 1
}

/// Sends SIGKILL; one that is gone already is no error.
pub fn kill_9(pid: u32) {
    send(pid, Signal::KILL);
}

/// SIGSTOP; returns when it has stopped.
///
/// # Panics
/// When it has not within the deadline.
pub fn pause(pid: u32) {
    send(pid, Signal::STOP);
    until("it is stopped", || state(pid) == Some('T'));
}

/// Sends a signal; one that is gone already is no error.
pub fn send(pid: u32, signal: Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(Pid::from_raw) {
        let _ = kill_process(pid, signal);
    }
}
