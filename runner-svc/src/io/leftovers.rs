//! Ends what a lost keeper left behind, so that no instance ever runs twice.
//!
//! Somebody belongs to a lost run when it is
//! - the run's main process, known by pid and start time,
//! - of the session that the main process made,
//! - started with the instance's environment and not below a keeper that
//!   lives: then it is that keeper's, be it another runner's on this machine,
//! - an orphan that came to us from a dead keeper, or
//! - below any of these.
//!
//! Everybody found is stopped (SIGSTOP) before anybody is killed, until no
//! look finds anybody new: who cannot run cannot fork, and nobody loses the parent
//! that leads to it.

use super::orphans;
use process_model::InstanceId;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::{Duration, Instant};

/// Looks at most: each stops whoever was forked during the one before, and a
/// fork takes longer than a stop.
const LOOKS: usize = 64;

/// Time that the killed get to be gone. Only who hangs in the kernel takes
/// longer than milliseconds.
const DYING: Duration = Duration::from_secs(5);

/// Longest line of ancestors; only guards against a loop made by numbers that
/// are used again while we look.
const GENERATIONS: usize = 1024;

/// A main process, as known from when it was started. Valid within one boot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct MainProcess {
    /// Process id, and number of the session that it made.
    pub(crate) pid: u32,
    /// Clock ticks since boot.
    pub(crate) start_time: u64,
}

/// A run that nobody holds any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lost {
    /// `NAME=VALUE` as in its environment.
    mark: String,
    /// `None` when nobody was told that it began.
    main: Option<MainProcess>,
    /// Nobody of it is older, in clock ticks since boot.
    since: u64,
}

impl Lost {
    /// A run with this main process.
    pub(crate) fn of(main: MainProcess, instance: impl std::fmt::Display) -> Self {
        Self { mark: format!("PM_INSTANCE={instance}"), main: Some(main), since: main.start_time }
    }

    /// A run that was asked for at `since` and that may have begun.
    pub(crate) fn unanswered(instance: impl std::fmt::Display, since: u64) -> Self {
        Self { mark: format!("PM_INSTANCE={instance}"), main: None, since }
    }
}

/// Kills everybody of a lost run; returns how many there were. Reads every
/// process of the machine and waits until the killed are gone.
pub(crate) fn kill(main: MainProcess, instance: &InstanceId) -> usize {
    end_all(&[Lost::of(main, instance)], &BTreeSet::new())
}

/// The same for a run of which nobody was told whether it began: whoever has
/// the instance's environment and is no living keeper's.
pub(crate) fn kill_unanswered(instance: &InstanceId) -> usize {
    end_all(&[Lost::unanswered(instance, 0)], &BTreeSet::new())
}

/// Kills everybody of runs that were lost with a keeper which we have seen
/// alive, with one look at the machine for all of them, on a thread of its own.
pub(crate) async fn end(lost: Vec<Lost>) -> usize {
    tokio::task::spawn_blocking(move || end_all(&lost, &orphans::adopted())).await.unwrap_or_default()
}

/// Clock ticks since boot, as in the start times of processes.
pub(crate) fn ticks_since_boot() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    let ticks = procfs::ticks_per_second().max(1);
    seconds * ticks + nanos * ticks / 1_000_000_000
}

/// When a process began, in clock ticks since boot.
pub(crate) fn start_of(pid: u32) -> Option<u64> {
    Some(Census::look_at(i32::try_from(pid).ok()?)?.start)
}

fn end_all(lost: &[Lost], adopted: &BTreeSet<i32>) -> usize {
    let mut stopped = BTreeSet::new();
    let mut quiet = 0;
    for _ in 0..LOOKS {
        let census = Census::take();
        let fresh: Vec<(i32, u64)> = census.members(lost, adopted, &stopped).difference(&stopped).copied().collect();
        // Twice: a fork that was under way when its process was stopped is finished first.
        quiet = if fresh.is_empty() { quiet + 1 } else { 0 };
        if quiet == 2 {
            break;
        }
        for member in fresh {
            let _ = signal(member, Signal::STOP);
            stopped.insert(member);
        }
    }
    let killed = stopped.iter().filter(|member| signal(**member, Signal::KILL).is_some()).count();
    let deadline = Instant::now() + DYING;
    if !stopped.iter().all(|member| wait(*member, deadline).is_some()) {
        tracing::error!(seconds = DYING.as_secs(), "a process of a lost run is still there after SIGKILL");
    }
    killed
}

/// Opened first: who we then look at is who we signal, or nobody.
fn open((pid, start): (i32, u64)) -> Option<std::os::fd::OwnedFd> {
    let pidfd = pidfd_open(Pid::from_raw(pid)?, PidfdFlags::empty()).ok()?;
    (Census::look_at(pid)?.start == start).then_some(pidfd)
}

fn signal(member: (i32, u64), signal: Signal) -> Option<()> {
    pidfd_send_signal(open(member)?, signal).ok()
}

/// `None` when it is still there at the deadline.
fn wait(member: (i32, u64), deadline: Instant) -> Option<()> {
    let Some(pidfd) = open(member) else { return Some(()) };
    let left = Timespec::try_from(deadline.saturating_duration_since(Instant::now())).ok()?;
    // Readable once it has ended (pidfd_open(2)).
    let ended = poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&left)).ok()?;
    (ended > 0).then_some(())
}

/// What one look at a process tells.
#[derive(Debug, Clone, Copy)]
struct Person {
    parent: i32,
    session: i32,
    start: u64,
    ended: bool,
}

/// One look at every process of the machine.
#[derive(Debug)]
struct Census(BTreeMap<i32, Person>);

impl Census {
    fn take() -> Self {
        let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self(pids.filter_map(|pid| Some((pid, Self::look_at(pid)?))).collect())
    }

    fn look_at(pid: i32) -> Option<Person> {
        let stat = procfs::process::Process::new(pid).ok()?.stat().ok()?;
        Some(Person {
            parent: stat.ppid,
            session: stat.session,
            start: stat.starttime,
            // A main thread that ended before the others is no end of the process.
            ended: stat.state == 'X' || (stat.state == 'Z' && stat.num_threads <= 1),
        })
    }

    /// Everybody alive of the lost runs, with start times. `known` are members
    /// already.
    fn members(&self, lost: &[Lost], adopted: &BTreeSet<i32>, known: &BTreeSet<(i32, u64)>) -> BTreeSet<(i32, u64)> {
        let (ourselves, our_session) = (self.line(getpid().as_raw_pid()), orphans::own_session());
        let mut belongs: BTreeMap<i32, bool> = BTreeMap::new();
        for (pid, person) in &self.0 {
            let is = known.contains(&(*pid, person.start))
                || adopted.contains(pid)
                || lost.iter().any(|lost| self.is_of(lost, *pid, person))
                || self.is_marked(lost, *pid, person, &ourselves);
            belongs.insert(*pid, is);
        }
        self.0
            .iter()
            // Nobody can enter a session: whoever shares ours was never a keeper's. Nor was who we descend from.
            .filter(|(pid, person)| person.session != our_session && !ourselves.contains(pid) && !person.ended)
            .filter(|(pid, _)| self.line(**pid).iter().any(|above| belongs.get(above) == Some(&true)))
            .map(|(pid, person)| (*pid, person.start))
            .collect()
    }

    fn is_of(&self, lost: &Lost, pid: i32, person: &Person) -> bool {
        let Some(main) = lost.main else { return false };
        let Ok(main_pid) = i32::try_from(main.pid) else { return false };
        if pid == main_pid {
            return person.start == main.start_time;
        }
        // A session's number is not given out again while somebody is in it: when somebody else has it, it is over.
        let is_over = self.0.get(&main_pid).is_some_and(|now| now.start != main.start_time);
        person.session == main_pid && person.start >= lost.since && !is_over
    }

    /// Whether it carries the mark of a lost run and is no living keeper's.
    fn is_marked(&self, lost: &[Lost], pid: i32, person: &Person, ourselves: &[i32]) -> bool {
        if lost.iter().all(|lost| person.start < lost.since) || person.ended {
            return false;
        }
        // Not ours to read, or gone.
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        let entries: BTreeSet<&[u8]> = environment.split(|byte| *byte == 0).collect();
        lost.iter().any(|lost| person.start >= lost.since && entries.contains(lost.mark.as_bytes()))
            && self.is_without_keeper(pid, ourselves)
    }

    /// Whether no living keeper is above a process. One above ourselves is
    /// above everybody here and does not count: pm may be run by pm.
    fn is_without_keeper(&self, pid: i32, ourselves: &[i32]) -> bool {
        let line = self.line(pid);
        // Somebody above began, or ended, during this look: the next one tells more.
        let is_whole = line.last().and_then(|eldest| self.0.get(eldest)).is_some_and(|eldest| eldest.parent == 0);
        is_whole && !line.iter().any(|above| !ourselves.contains(above) && is_keeper(*above))
    }

    /// A process and its ancestors.
    fn line(&self, pid: i32) -> Vec<i32> {
        std::iter::successors(Some(pid), |pid| self.0.get(pid).map(|person| person.parent))
            .take_while(|pid| self.0.contains_key(pid))
            .take(GENERATIONS)
            .collect()
    }
}

/// Whether a process is a keeper: its arguments say so.
fn is_keeper(pid: i32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.starts_with(b"pm-keeper\0__pm-keeper\0"))
}
