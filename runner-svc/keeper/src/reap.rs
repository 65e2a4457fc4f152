//! Endings: collects children, tells how runs ended and what is left of them,
//! and signals whole trees.

use crate::keeper::Keeper;
use crate::orphans::Survey;
use crate::protocol::{Ending, Event};
use crate::run::wall_nanos;
use crate::tree::{self, Look};
use process_model::ExitStatus;
use rustix::process::{Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, pidfd_open, pidfd_send_signal};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Rounds of one signal: each finds who was forked or lost its parent during
/// the one before. What outruns them is met at the next ending.
const ROUNDS: usize = 16;

/// How soon to look again at what could not be seen with certainty.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// How soon after SIGKILL, and how often, to look who is left.
const SURVIVING: Duration = Duration::from_millis(500);

/// SIGKILL.
const KILL: i32 = 9;

impl Keeper {
    /// Collects every child that ended, then looks which trees are empty.
    pub(crate) fn reap(&mut self) {
        // The one that the signal names is told of first: to find out who else has ended, the kernel looks at every
        // child, and there may be somebody who waits for a successor.
        if let Ok(Some(signal)) = self.signals.read_signal()
            && let Some(pid) = i32::try_from(signal.ssi_pid).ok().and_then(Pid::from_raw)
            && let Ok(Some((pid, status))) = rustix::process::waitpid(Some(pid), WaitOptions::NOHANG)
            && let Some(ended) = self.take_in(pid, status)
        {
            self.settle(vec![ended]);
            self.flush();
        }
        let mut ended = Vec::new();
        while let Ok(Some((pid, status))) = rustix::process::wait(WaitOptions::NOHANG) {
            ended.extend(self.take_in(pid, status));
        }
        if !ended.is_empty() || !self.orphaned.is_empty() {
            self.settle(ended);
        }
    }

    /// Takes in that a child was collected; tells how a run ended whose main
    /// process it was.
    fn take_in(&mut self, pid: Pid, status: WaitStatus) -> Option<(u64, ExitStatus)> {
        let pid = pid.as_raw_nonzero().get().unsigned_abs();
        self.orphans.collected(pid);
        // No such pid in the map: an orphan of some run.
        let run = self.by_pid.remove(&pid)?;
        let status = match (status.exit_status(), status.terminating_signal()) {
            (Some(code), _) => ExitStatus::Code(code),
            (None, Some(signal)) => ExitStatus::Signal(signal),
            (None, None) => ExitStatus::Unknown("the kernel gave no status".to_owned()),
        };
        Some((run, status))
    }

    /// Tells of runs whose main process ended now, and of those whose last
    /// process did.
    pub(crate) fn settle(&mut self, ended: Vec<(u64, ExitStatus)>) {
        let waiting = ended.iter().map(|(id, _)| *id).chain(self.orphaned.iter().copied());
        // The kernel counts the members of a group; of others we have to look for those that lost their parent.
        let looked_for: BTreeSet<u64> = waiting.filter(|id| !self.is_held(*id)).collect();
        let survey = match looked_for.is_empty() {
            true => Survey { sure: true, ..Survey::default() },
            false => self.survey(|run| looked_for.contains(&run)),
        };
        let is_empty = |this: &Self, id| (this.is_held(id) || survey.is_empty(id)) && this.is_group_empty(id);

        for (id, status) in ended {
            let tree_empty = is_empty(self, id);
            self.drain(id);
            let Some(run) = self.runs.get_mut(id) else { continue };
            let (killed, news) = run.held.group.as_mut().map(|group| group.ended()).unwrap_or_default();
            // Whoever was killed on request was not killed for lack of memory; whoever ended well was not killed.
            let killed = killed || status == ExitStatus::Signal(KILL) && self.casualties.has(run.pid);
            let out_of_memory = killed && !run.condemned && status != ExitStatus::Code(0);
            let ending = Ending { status, at: wall_nanos(), tree_empty, out_of_memory };
            run.end(ending.clone());
            self.orphaned.extend((!tree_empty).then_some(id));
            news.into_iter().for_each(|message| self.send(&Event::LimitReached { run: id, message }));
            // Its last words come before its end.
            self.hear_program(id);
            self.send(&Event::Exited { run: id, ending });
        }
        let mut sure = survey.sure;
        for id in self.orphaned.clone() {
            if is_empty(self, id) {
                self.tell_emptied(id);
                continue;
            }
            // Who is in the group and no descendant of ours ends without our being told.
            sure &= !(self.is_held(id) || survey.is_empty(id)) || self.watch_group(id);
            if self.runs.get(id).is_some_and(|run| run.condemned) {
                // It outran the signal.
                self.signal_members(id, Signal::KILL, 1);
            }
        }
        if self.holding.look_at_survivors.is_some() && !self.runs.all().any(|run| run.condemned && !run.is_over()) {
            self.holding.look_at_survivors = None;
        }
        // Nothing else would wake us: whoever was not seen may have ended already.
        self.look_again = (!sure && !self.orphaned.is_empty()).then(|| Instant::now() + LOOK_AGAIN);
    }

    fn tell_emptied(&mut self, id: u64) {
        self.orphaned.remove(&id);
        self.drain(id);
        if let Some(ending) = self.runs.get_mut(id).and_then(|run| run.ending.as_mut()) {
            ending.tree_empty = true;
        }
        self.send(&Event::TreeEmptied { run: id });
    }

    fn survey(&mut self, about: impl Fn(u64) -> bool) -> Survey {
        let runs = self.runs.iter().filter(|(_, run)| !run.is_over()).map(|(id, run)| run.candidate(id));
        let mut survey = self.orphans.survey(&self.by_pid, runs, &about);
        self.survey_foreign(&mut survey, &about);
        survey
    }

    /// Sends a signal to everybody of a tree. After SIGKILL nobody of it may
    /// live: who turns up later gets it too.
    pub(crate) fn signal_tree(&mut self, id: u64, number: i32) {
        let Some(signal) = Signal::from_named_raw(number) else { return };
        let Some(run) = self.runs.get_mut(id).filter(|run| !run.is_over()) else { return };
        run.condemned |= signal == Signal::KILL;
        if signal == Signal::KILL {
            self.to_hand.insert(id);
            run.held.survivors.clear();
            self.holding.look_at_survivors.get_or_insert_with(|| Instant::now() + SURVIVING);
        }
        self.signal_members(id, signal, ROUNDS);
    }

    /// Sends a signal to the main process of a run alone.
    pub(crate) fn signal_main(&mut self, id: u64, number: i32) {
        let Some(signal) = Signal::from_named_raw(number) else { return };
        if let Some(run) = self.runs.get(id).filter(|run| run.ending.is_none()) {
            // Gone already: its end is told.
            let _ = pidfd_send_signal(&run.pidfd, signal);
        }
    }

    fn signal_members(&mut self, id: u64, signal: Signal, rounds: usize) {
        if let Some(group) = self.runs.get(id).and_then(|run| run.held.group.as_ref())
            && signal == Signal::KILL
        {
            // At once, and whoever forks meanwhile too; what was moved out of the group is found below.
            group.kill(|pid| signal_seen(pid, signal));
        }
        if self.signal_foreign(id, signal) {
            return;
        }
        let Some(run) = self.runs.get(id) else { return };
        let main = (run.ending.is_none() && self.by_pid.contains_key(&run.pid)).then_some(run.pid);
        let mut signalled = BTreeSet::new();
        if let Some(pid) = main {
            // The main process first, and by its own descriptor: it is the one to shut down in order.
            let _ = pidfd_send_signal(&run.pidfd, signal);
            signalled.insert(pid);
        }
        let mut ended = BTreeSet::new();
        for _ in 0..rounds {
            let mut survey = self.survey(|run| run == id);
            let mut tops = survey.of_run.remove(&id).unwrap_or_default();
            tops.extend(main);
            let (mut members, sure) = tree::descend(tops, std::process::id(), &mut ended);
            members.retain(|pid, _| signalled.insert(*pid));
            for (pid, start_time) in &members {
                signal_one(*pid, *start_time, signal);
            }
            // Who was forked since may be the program's own work on a request to end; but nobody outlives SIGKILL.
            if sure && survey.sure && (members.is_empty() || signal != Signal::KILL) {
                break;
            }
        }
        for pid in self.group_members(id) {
            if signalled.insert(pid) {
                signal_seen(pid, signal);
            }
        }
    }

    pub(crate) fn group_members(&self, id: u64) -> Vec<u32> {
        let group = self.runs.get(id).and_then(|run| run.held.group.as_ref());
        group.and_then(|group| group.members().ok()).unwrap_or_default()
    }

    /// Whether a group holds the tree of a run together: who is born in it is in
    /// it, and who leaves it was moved by root, away from us.
    fn is_held(&self, id: u64) -> bool {
        self.runs.get(id).and_then(|run| run.held.group.as_ref()).is_some_and(|group| group.holds_tree())
    }

    fn is_group_empty(&self, id: u64) -> bool {
        self.runs.get(id).and_then(|run| run.held.group.as_ref()).is_none_or(|group| group.is_empty())
    }

    /// Tells of those who have outlived SIGKILL: in uninterruptible sleep, or
    /// frozen by somebody else.
    pub(crate) fn look_at_survivors(&mut self, now: Instant) {
        let condemned = self.runs.iter().filter(|(_, run)| run.condemned && !run.is_over());
        let ids: Vec<u64> = condemned.map(|(id, _)| id).collect();
        self.holding.look_at_survivors = (!ids.is_empty()).then(|| now + SURVIVING);
        let mut survey = self.survey(|run| ids.contains(&run));
        for id in ids {
            let tops = survey.of_run.remove(&id).unwrap_or_default();
            let mut pids: BTreeSet<u32> = self.group_members(id).into_iter().chain(tops).collect();
            let Some(run) = self.runs.get_mut(id) else { continue };
            pids.extend(run.ending.is_none().then_some(run.pid));
            let pids: Vec<u32> = pids.into_iter().filter(|pid| matches!(tree::look(*pid), Look::Alive(_))).collect();
            if !pids.is_empty() && run.held.survivors != pids {
                run.held.survivors.clone_from(&pids);
                self.send(&Event::Survivors { run: id, pids });
            }
        }
    }

    /// With no run alive, whoever is left is a left-over of some run.
    pub(crate) fn kill_leftovers(&mut self) {
        let survey = self.survey(|_| true);
        for pid in survey.of_run.into_values().flatten().chain(survey.strangers) {
            if let Look::Alive(stat) = tree::look(pid) {
                signal_one(pid, stat.start_time, Signal::KILL);
            }
        }
    }
}

/// Signals whoever has this number now: somebody who was just seen to be of
/// the tree.
pub(crate) fn signal_seen(pid: u32, signal: Signal) {
    if let Look::Alive(stat) = tree::look(pid) {
        signal_one(pid, stat.start_time, signal);
    }
}

/// Signals through a pidfd, opened and then checked against the start time, so
/// that a number that was used again is never hit.
pub(crate) fn signal_one(pid: u32, start_time: u64, signal: Signal) {
    let Some(pid_number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return };
    let Ok(pidfd) = pidfd_open(pid_number, PidfdFlags::empty()) else { return };
    // The descriptor is of whoever has the number now; the start time says whether that is who we saw.
    if matches!(tree::look(pid), Look::Alive(stat) if stat.start_time == start_time) {
        let _ = pidfd_send_signal(&pidfd, signal);
    }
}
