//! Runs that were taken over from a keeper that was lost. Their main processes
//! and whoever loses its parent among them are not this keeper's children but
//! those of the next sub-reaper above the lost keeper: the runner that started
//! it, or init. So nobody sends SIGCHLD to us, and their endings are learned
//!
//! 1. from the descriptor of the process: *that* it ended, and on Linux 6.15
//!    and later, once it was collected, also how;
//! 2. from the runner, which collects what is its child (`Collected`);
//! 3. not at all, when neither tells within [`PATIENCE`]: then it is said so.

use super::Keeper;
use crate::epoll::Source;
use crate::mark::Marks;
use crate::orphans::Survey;
use crate::protocol::{Ending, Event, Opaque};
use crate::resume::{Found, RunImage};
use crate::run::Run;
use crate::tree::{self, Look};
use crate::{diary::say, reap, sys};
use process_model::ExitStatus;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

/// How long who collects it may take to tell how a process ended. A runner does at once.
const PATIENCE: Duration = Duration::from_secs(3);

/// Looks at a tree until nobody new is found.
const ROUNDS: usize = 16;

/// What is known of a run whose main process is somebody else's child.
#[derive(Debug)]
pub(crate) struct Foreign {
    /// Who gets the orphans of the tree.
    pub(super) reaper: u32,
    /// Who is left after the main process, watched for their ends.
    left: BTreeMap<u32, OwnedFd>,
    /// Until when somebody may tell how the main process ended.
    patience: Option<Instant>,
}

impl Keeper {
    /// Takes a run over from a keeper that was lost.
    pub(super) fn adopt(&mut self, id: u64, state: &Opaque, ending: Option<Ending>, found: Vec<OwnedFd>) {
        if self.runs.get(id).is_some() {
            return;
        }
        let mut found = Found::from(found);
        let outcome = rmp_serde::from_slice::<RunImage>(&state.0).map_err(|e| e.to_string()).and_then(|mut image| {
            self.holding.sockets.of_images(std::mem::take(&mut image.sockets), &mut found);
            Run::of_image(image, &mut found, &self.desk).map_err(|e| e.to_string())
        });
        let mut run = match outcome {
            Ok(run) => run,
            Err(message) => return self.send(&Event::AdoptFailed { run: id, message }),
        };
        if let Some(ending) = ending
            && run.ending.is_none()
        {
            run.end(ending);
        }
        say!("took over {} (pid {})", run.instance, run.pid);
        // Gone already: its parent was init, or whoever stands for it.
        let reaper = tree::parent(run.pid).unwrap_or(1);
        // The one before may have been lost before it told.
        let spawned = run.ending.is_none().then(|| run.spawned(id));
        self.include(id, run, Some(reaper));
        spawned.into_iter().for_each(|spawned| self.send(&spawned));
        self.settle(Vec::new());
    }

    /// Takes in a run that began before this program did: its end is waited for.
    pub(super) fn include(&mut self, id: u64, run: Run, reaper: Option<u32>) {
        let over = run.is_over();
        let ended = run.ending.is_some();
        if let Some(reaper) = reaper {
            if !ended && let Err(e) = self.epoll.add(&run.pidfd, Source::Main { run: id }) {
                say!("cannot wait for the end of {}: {e}", run.instance);
            }
            self.foreign_mains.insert(run.pid, id);
            self.foreign.insert(id, Foreign { reaper, left: BTreeMap::new(), patience: None });
        } else if !ended {
            self.by_pid.insert(run.pid, id);
        }
        self.orphaned.extend((ended && !over).then_some(id));
        self.runs.insert(id, run);
        self.read_along(id);
        self.to_hand.insert(id);
        self.attend_again(id);
    }

    /// A process of a run that is not our child ended: the main one, or one of
    /// those that were left.
    pub(super) fn foreign_ended(&mut self, id: u64) {
        let (Some(run), Some(foreign)) = (self.runs.get(id), self.foreign.get_mut(&id)) else { return };
        if run.ending.is_some() || !has_ended(&run.pidfd) {
            // One of those that are left: it is closed with the look that finds it gone.
            return self.settle(Vec::new());
        }
        if let Some(status) = sys::exit_info::of(&run.pidfd) {
            return self.foreign_main_ended(id, status);
        }
        if foreign.patience.is_none() {
            // From now on only its being collected wakes us.
            let _ = self.epoll.listen(&run.pidfd, Source::Main { run: id }, false);
            foreign.patience = Some(Instant::now() + PATIENCE);
        } else {
            // Collected, by somebody else than us, and this kernel does not say how it ended.
            self.epoll.remove(&run.pidfd);
        }
    }

    /// The runner has collected a main process.
    pub(super) fn collected(&mut self, id: u64, status: ExitStatus) {
        if self.runs.get(id).is_some_and(|run| run.ending.is_none()) && self.foreign.contains_key(&id) {
            self.foreign_main_ended(id, status);
        }
    }

    fn foreign_main_ended(&mut self, id: u64, status: ExitStatus) {
        if let (Some(run), Some(foreign)) = (self.runs.get(id), self.foreign.get_mut(&id)) {
            self.epoll.remove(&run.pidfd);
            foreign.patience = None;
        }
        self.settle(vec![(id, status)]);
    }

    /// When to give up waiting for somebody to tell.
    pub(super) fn foreign_due(&self) -> Option<Instant> {
        self.foreign.values().filter_map(|foreign| foreign.patience).min()
    }

    pub(super) fn give_up_on_foreign(&mut self) {
        let now = Instant::now();
        let due = self.foreign.iter().filter(|(_, foreign)| foreign.patience.is_some_and(|at| at <= now));
        for id in due.map(|(id, _)| *id).collect::<Vec<_>>() {
            let words = "its keeper and runner were lost";
            self.foreign_main_ended(id, ExitStatus::Unknown(words.to_owned()));
        }
    }

    /// Adds to a look who lives of the runs `about` that are not our children.
    pub(crate) fn survey_foreign(&mut self, survey: &mut Survey, about: impl Fn(u64) -> bool) {
        let ids: Vec<u64> = self.foreign.keys().copied().filter(|id| about(*id)).collect();
        for id in ids {
            let (members, sure) = self.foreign_members(id);
            survey.sure &= sure;
            self.watch_left(id, &members);
            if !members.is_empty() {
                survey.of_run.insert(id, members.into_keys().collect());
            }
        }
    }

    /// Who lives of such a run, with start times, and whether these are all.
    fn foreign_members(&mut self, id: u64) -> (BTreeMap<u32, u64>, bool) {
        let (Some(run), Some(foreign)) = (self.runs.get(id), self.foreign.get_mut(&id)) else {
            return (BTreeMap::new(), true);
        };
        let main = (run.ending.is_none() && tree::start_time(run.pid) == Some(run.start_time)).then_some(run.pid);
        if let Some(parent) = main.and_then(tree::parent) {
            foreign.reaper = parent;
        }
        let mut reapers = BTreeSet::from([foreign.reaper]);
        if matches!(tree::look(foreign.reaper), Look::Ended | Look::Gone) {
            // Somebody further up has them now: who that is, those who are left know; without them it is init.
            reapers = foreign.left.keys().filter_map(|pid| tree::parent(*pid)).chain([1]).collect();
        }
        let (marks, mains) = (self.marks, &self.foreign_mains);
        let mut ended = BTreeSet::new();
        let mut outcome = (BTreeMap::new(), false);
        for _ in 0..ROUNDS {
            outcome = (BTreeMap::new(), true);
            for reaper in &reapers {
                let Ok(mut tops) = tree::children_of(*reaper) else {
                    outcome.1 = false;
                    continue;
                };
                tops.retain(|pid| match mains.get(pid) {
                    Some(of) => *of == id && Some(*pid) == main,
                    None => is_of(marks, *pid, id, run),
                });
                let (members, sure) = tree::descend(tops, *reaper, &mut ended);
                outcome.0.extend(members);
                outcome.1 &= sure;
            }
            if outcome.1 {
                break;
            }
        }
        outcome
    }

    /// Waits for the ends of those who are left of a run.
    fn watch_left(&mut self, id: u64, members: &BTreeMap<u32, u64>) {
        let (Some(run), Some(foreign)) = (self.runs.get(id), self.foreign.get_mut(&id)) else { return };
        let epoll = &self.epoll;
        foreign.left.retain(|pid, pidfd| {
            let lives = members.contains_key(pid);
            if !lives {
                epoll.remove(&*pidfd);
            }
            lives
        });
        if run.is_over() {
            return;
        }
        for (pid, start_time) in members.iter().filter(|(pid, _)| **pid != run.pid) {
            let Some(number) = i32::try_from(*pid).ok().and_then(Pid::from_raw) else { continue };
            if !foreign.left.contains_key(pid)
                && let Ok(pidfd) = pidfd_open(number, PidfdFlags::empty())
                && tree::start_time(*pid) == Some(*start_time)
                && epoll.add(&pidfd, Source::Main { run: id }).is_ok()
            {
                foreign.left.insert(*pid, pidfd);
            }
        }
    }

    /// Signals everybody of such a run, the main process first; false when it
    /// is no such run.
    pub(crate) fn signal_foreign(&mut self, id: u64, signal: Signal) -> bool {
        let (Some(run), true) = (self.runs.get(id), self.foreign.contains_key(&id)) else { return false };
        let mut signalled = BTreeSet::new();
        if run.ending.is_none() {
            let _ = pidfd_send_signal(&run.pidfd, signal);
            signalled.insert(run.pid);
        }
        for _ in 0..ROUNDS {
            let (mut members, sure) = self.foreign_members(id);
            members.retain(|pid, _| signalled.insert(*pid));
            for (pid, start_time) in &members {
                reap::signal_one(*pid, *start_time, signal);
            }
            if sure && (members.is_empty() || signal != Signal::KILL) {
                break;
            }
        }
        for pid in self.group_members(id) {
            if signalled.insert(pid) {
                reap::signal_seen(pid, signal);
            }
        }
        true
    }

    /// A run is dropped: nothing of it is listened to any more.
    pub(super) fn drop_run(&mut self, id: u64) {
        self.to_hand.remove(&id);
        self.unhanded.remove(&id);
        self.orphaned.remove(&id);
        if let Some(foreign) = self.foreign.remove(&id) {
            foreign.left.values().for_each(|pidfd| self.epoll.remove(pidfd));
        }
        let Some(mut run) = self.runs.remove(id) else { return };
        self.unfence(&run.instance);
        self.foreign_mains.remove(&run.pid);
        // Others have duplicates: closing would not be enough.
        self.epoll.remove(&run.pidfd);
        if run.outputs.iter().flatten().any(|output| output.is_open()) {
            run.outputs.iter().flatten().for_each(|output| self.epoll.remove(&output.wire.pipe));
            self.desk.close(id);
        }
        run.held.notify.iter().for_each(|notify| self.epoll.remove(&**notify));
        // One that was killed as a whole is of no more use: see `spawn`.
        if let Some(group) = run.held.group.take().filter(|_| !run.held.is_task && !run.condemned) {
            self.holding.cgroups.take_back(*group);
        }
    }
}

/// Whether an orphan is of a run: by its mark, or by its session and group
/// when it has none.
fn is_of(marks: Marks, pid: u32, id: u64, run: &Run) -> bool {
    match marks.run_of(pid) {
        Some(of) => of == id,
        None => matches!(tree::look(pid), Look::Alive(stat) if stat.start_time >= run.start_time
            && (stat.session == run.pid || stat.group == run.pid)),
    }
}

/// Whether the process of a descriptor has ended, collected or not.
fn has_ended(pidfd: impl AsFd) -> bool {
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut [PollFd::new(&pidfd, PollFlags::IN)], Some(&now)).is_ok_and(|ready| ready > 0)
}
