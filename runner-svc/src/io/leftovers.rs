//! Ends what a lost keeper left behind, so that no instance ever runs twice:
//! the session of a run whose main process is known by pid and start time.

use process_model::InstanceId;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::fs;

/// Rounds: each finds who was forked during the one before.
const ROUNDS: usize = 16;

/// A main process, as known from when it was started. Valid within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MainProcess {
    /// Process id, and number of the session that it made.
    pub(crate) pid: u32,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
}

/// Kills everybody of the session that `main` made; returns how many there
/// were. The environment of `instance` has to be there too: a number that was
/// used again is somebody else's.
pub(crate) fn kill(main: MainProcess, instance: &InstanceId) -> usize {
    let mark = format!("PM_INSTANCE={instance}");
    let mut killed = 0;
    for _ in 0..ROUNDS {
        let round = fs::read_dir("/proc")
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| kill_member(*pid, main, &mark).is_some())
            .count();
        if round == 0 {
            break;
        }
        killed += round;
    }
    killed
}

fn kill_member(pid: i32, main: MainProcess, mark: &str) -> Option<()> {
    // Opened first: who we look at next is who we would signal, or nobody.
    let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    let stat = procfs::process::Process::new(pid).ok()?.stat().ok()?;
    let belongs = u32::try_from(stat.session).ok()? == main.pid && stat.starttime >= main.start_time;
    if !belongs || stat.state == 'Z' {
        return None;
    }
    let environment = fs::read(format!("/proc/{pid}/environ")).ok()?;
    if !environment.split(|b| *b == 0).any(|entry| entry == mark.as_bytes()) {
        return None;
    }
    pidfd_send_signal(&pidfd, Signal::KILL).ok()
}
