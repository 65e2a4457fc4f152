//! Ends what a lost keeper left behind, so that no instance ever runs twice.
//!
//! Everybody of a run carries its mark (see the keeper's `mark`), where the
//! kernel lets the keeper set one: then it tells alone. Who has none belongs
//! to a lost run when it is
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

use super::journal::Journal;
use super::orphans;
use runner_keeper::RunMarks;
use runner_keeper::protocol::RunRecord;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
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
    run: u64,
    instance: Box<str>,
    /// `None` when nobody was told that it began.
    main: Option<MainProcess>,
    /// Nobody of it is older, in clock ticks since boot.
    since: u64,
}

impl Lost {
    /// A run with this main process.
    pub(crate) fn of(run: u64, main: MainProcess, instance: impl Into<Box<str>>) -> Self {
        Self { run, instance: instance.into(), main: Some(main), since: main.start_time }
    }

    /// A run that was asked for at `since` and that may have begun.
    pub(crate) fn unanswered(run: u64, instance: impl Into<Box<str>>, since: u64) -> Self {
        Self { run, instance: instance.into(), main: None, since }
    }

    pub(crate) fn run(&self) -> u64 {
        self.run
    }
}

/// A run that goes on: nobody of it is touched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) run: u64,
    pub(crate) main: MainProcess,
    pub(crate) instance: Box<str>,
}

/// Kills everybody of lost runs, with one look at the machine for all of them,
/// on a thread of its own; returns how many there were. Waits until the killed
/// are gone.
pub(crate) async fn end(state_dir: &Path, lost: Vec<Lost>, kept: Vec<Kept>) -> usize {
    if lost.is_empty() {
        return 0;
    }
    let state_dir = state_dir.to_owned();
    let ending = move || Search { marks: RunMarks::of(&state_dir).ok(), lost, kept, adopted: orphans::adopted() }.end();
    tokio::task::spawn_blocking(ending).await.unwrap_or_default()
}

/// The runs of the journal that no keeper holds: ended, all at once, before
/// their instances are set going. Without boot in between: what ran before a
/// boot is gone.
pub(crate) async fn end_unheld(state_dir: &Path, journal: &Journal, records: &[RunRecord], rebooted: bool) {
    if rebooted {
        return;
    }
    let held: BTreeSet<u64> = records.iter().map(|record| record.run).collect();
    let lost = journal.instances().into_iter().filter_map(|(instance, stored)| {
        let run = stored.memo?.run?.0;
        let name = instance.to_string();
        (!held.contains(&run)).then(|| match stored.main {
            Some(main) => Lost::of(run, main, name),
            // Asked for, perhaps, and never answered.
            None => Lost::unanswered(run, name, 0),
        })
    });
    let lost: Vec<Lost> = lost.collect();
    let kept = records.iter().filter(|record| record.ending.as_ref().is_none_or(|ending| !ending.tree_empty));
    let kept = kept.map(|record| Kept {
        run: record.run,
        main: MainProcess { pid: record.pid, start_time: record.start_time },
        instance: record.instance.as_str().into(),
    });
    let runs = lost.len();
    let ended = end(state_dir, lost, kept.collect()).await;
    if ended > 0 {
        tracing::warn!(runs, processes = ended, "runs lost with their keeper; their processes were ended");
    }
}

/// Signals a main process and nobody else, for a keeper that cannot.
pub(crate) fn signal_main(main: MainProcess, number: i32) {
    if let (Ok(pid), Some(name)) = (i32::try_from(main.pid), Signal::from_named_raw(number)) {
        let _ = signal((pid, main.start_time), name);
    }
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

/// Who is looked for.
struct Search {
    /// `None` without a lock file: there never was a keeper.
    marks: Option<RunMarks>,
    lost: Vec<Lost>,
    kept: Vec<Kept>,
    /// Orphans that came to us from keepers that are gone.
    adopted: BTreeSet<i32>,
}

impl Search {
    fn end(&self) -> usize {
        let mut stopped = BTreeSet::new();
        let mut quiet = 0;
        for _ in 0..LOOKS {
            let census = Census::take();
            let members = census.members(self, &stopped);
            let fresh: Vec<(i32, u64)> = members.difference(&stopped).copied().collect();
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

    /// What the mark of a process says: is it of a lost run? `None`: nothing,
    /// it has none, or one of a run that nobody knows.
    fn by_mark(&self, pid: i32) -> Option<bool> {
        let run = self.marks.as_ref()?.run_of(pid.unsigned_abs())?;
        if self.lost.iter().any(|lost| lost.run == run) {
            return Some(true);
        }
        self.kept.iter().any(|kept| kept.run == run).then_some(false)
    }

    /// Whether somebody without a mark is of a run that goes on.
    fn is_kept(&self, pid: i32, person: &Person) -> bool {
        self.kept.iter().any(|kept| {
            let main = i32::try_from(kept.main.pid).unwrap_or(-1);
            (pid == main && person.start == kept.main.start_time)
                || (person.session == main && person.start >= kept.main.start_time)
        })
    }
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
    fn members(&self, search: &Search, known: &BTreeSet<(i32, u64)>) -> BTreeSet<(i32, u64)> {
        let (ourselves, our_session) = (self.line(getpid().as_raw_pid()), orphans::own_session());
        let mut belongs: BTreeMap<i32, bool> = BTreeMap::new();
        for (pid, person) in &self.0 {
            let is = known.contains(&(*pid, person.start))
                || search.by_mark(*pid).unwrap_or_else(|| {
                    !search.is_kept(*pid, person)
                        && (search.adopted.contains(pid)
                            || search.lost.iter().any(|lost| self.is_of(lost, *pid, person))
                            || self.carries_name(search, *pid, person, &ourselves))
                });
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

    /// Whether it was started with the name of a lost run's instance and is no
    /// living keeper's. The name says nothing where another run of the same
    /// instance goes on.
    fn carries_name(&self, search: &Search, pid: i32, person: &Person, ourselves: &[i32]) -> bool {
        let mut candidates = search
            .lost
            .iter()
            .filter(|lost| person.start >= lost.since)
            .filter(|lost| search.kept.iter().all(|kept| kept.instance != lost.instance))
            .peekable();
        if candidates.peek().is_none() || person.ended {
            return false;
        }
        // Not ours to read, or gone.
        let Ok(environment) = fs::read(format!("/proc/{pid}/environ")) else { return false };
        let name = environment.split(|byte| *byte == 0).find_map(|entry| entry.strip_prefix(b"PM_INSTANCE="));
        let Some(name) = name else { return false };
        candidates.any(|lost| lost.instance.as_bytes() == name) && self.is_without_keeper(pid, ourselves)
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
