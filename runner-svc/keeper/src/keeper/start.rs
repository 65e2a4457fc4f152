//! Starting a program, with all that is held for it, and attending to that
//! while it runs.

use super::Keeper;
use crate::cgroup::{Cgroups, Prepared};
use crate::diary::say;
use crate::epoll::Source;
use crate::held::Held;
use crate::launch::{Beside, Legacy, SpawnFailure};
use crate::notify::{Notify, Sender};
use crate::protocol::{Event, SpawnRequest};
use crate::run::{Logs, Run, is_merged};
use crate::sockets::Sockets;
use crate::tree::{self, Look};
use std::fs::File;
use std::io;
use std::os::fd::AsFd;
use std::time::{Duration, Instant};

/// Between two looks at usage that the kernel tells of by no event: only for
/// what is observed.
const OBSERVE: Duration = Duration::from_secs(5);

/// What the keeper holds for programs, and when to look at some of it.
#[derive(Debug)]
pub(crate) struct Holding {
    pub(crate) cgroups: Cgroups,
    pub(crate) sockets: Sockets,
    pub(crate) legacy: Legacy,
    /// When to look who has outlived SIGKILL.
    pub(crate) look_at_survivors: Option<Instant>,
    /// When to look at usage.
    look_at_usage: Option<Instant>,
}

impl Holding {
    /// `nofile` is the limit of open files that programs get; `identity` tells
    /// keepers apart.
    pub(crate) fn new(nofile: (u64, u64), identity: u64, null: &File) -> io::Result<Self> {
        Ok(Self {
            legacy: Legacy::of_this_process(nofile, null.as_fd())?,
            cgroups: Cgroups::find(identity),
            sockets: Sockets::default(),
            look_at_survivors: None,
            look_at_usage: None,
        })
    }

    /// When something of this is to be looked at; `None`, as a rule.
    pub(super) fn due(&self) -> Option<Instant> {
        [self.look_at_survivors, self.look_at_usage].into_iter().flatten().min()
    }
}

impl Keeper {
    /// Starts a program. With it comes what it is not limited by, in words.
    pub(super) fn start(&mut self, request: &SpawnRequest) -> Result<(Run, Vec<String>), SpawnFailure> {
        let fault =
            |stage, error: &dyn std::fmt::Display| SpawnFailure { stage, message: error.to_string(), errno: None };
        let (wanted, notifies) = if request.is_task { (&[][..], false) } else { (&*request.sockets, request.notify) };
        self.holding.sockets.open(&request.instance, wanted).map_err(|e| fault("socket", &e))?;
        let notify = if notifies { Some(Box::new(Notify::open().map_err(|e| fault("notify", &e))?)) } else { None };
        let lives = |run: &&Run| !run.held.is_task && !run.is_over();
        let of = self.runs.of(&request.instance).rev().find(lives).and_then(|run| run.held.group.as_deref());
        let has_open =
            |run: &Run, path: &str| run.outputs.iter().flatten().any(|outlet| outlet.path.as_os_str() == path);
        let is_known = |path| self.runs.of(&request.instance).any(|run| has_open(run, path));
        let known = is_known(&request.stdout) && (is_merged(request) || is_known(&request.stderr));
        let desk = &mut self.desk;
        let beside = || Beside {
            sockets: self.holding.sockets.of(&request.instance, wanted),
            notify: notify.as_deref().map(Notify::name),
            ..Beside::default()
        };
        let mark = self.marks.mark(request.run);
        let mut spawn =
            |beside| Run::spawn(request, &self.null, beside, &mut self.holding.legacy, mark, Logs { desk, known });
        let mut in_groups = beside();
        let Prepared { mut group, mut notes } = self.holding.cgroups.prepare(request, of, &mut in_groups);
        let outcome = match spawn(in_groups) {
            // A program that is held together less well is better than one that does not run.
            Err(failure) if group.is_some() && failure.is_of_cgroup() => {
                self.holding.cgroups.remove_spare();
                say!("{} starts without a cgroup: {}", request.instance, failure.message);
                if group.take().is_some_and(|group| group.limits().is_some()) {
                    notes = vec![format!("limits are not enforced: {}", failure.message)];
                }
                spawn(beside())
            }
            other => other,
        };
        let mut run = outcome.inspect_err(|_| self.desk.close(request.run))?;
        let uid = request.identity.as_ref().map_or_else(|| rustix::process::geteuid().as_raw(), |id| id.uid);
        run.held = Held::new(request.is_task, uid, notify, group);
        Ok((run, notes))
    }

    /// Begins to attend to what is held for a run.
    pub(super) fn attend(&mut self, id: u64, mut notes: Vec<String>) {
        let Some(run) = self.runs.get_mut(id) else { return };
        if let Some(notify) = run.held.notify.as_deref()
            && let Err(e) = self.epoll.add(notify, Source::Notify { run: id })
        {
            say!("cannot hear {}: {e}", run.instance);
        }
        if let Some(group) = &mut run.held.group {
            let (descriptors, failed) = group.watch_limits();
            for descriptor in descriptors {
                if let Err(e) = self.epoll.add(descriptor, Source::Limits { run: id }) {
                    notes.push(format!("limits are not watched: {e}"));
                }
            }
            notes.extend(failed);
            if group.needs_looking() {
                self.holding.look_at_usage.get_or_insert_with(|| Instant::now() + OBSERVE);
            }
        }
        notes.into_iter().for_each(|message| self.send(&Event::LimitReached { run: id, message }));
    }

    /// Begins to wait for a run's group to become empty; false: nobody tells.
    pub(crate) fn watch_group(&mut self, id: u64) -> bool {
        let Some(group) = self.runs.get_mut(id).and_then(|run| run.held.group.as_mut()) else { return true };
        match group.watch_populated() {
            Ok(Some(descriptor)) => self.epoll.add(descriptor, Source::Limits { run: id }).is_ok(),
            Ok(None) => true,
            Err(_) => false,
        }
    }

    /// Goes on with what was held for a run before this keeper had it.
    pub(super) fn attend_again(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(id).filter(|run| !run.is_over()) else { return };
        run.held.find_groups(id, &self.holding.cgroups);
        self.attend(id, Vec::new());
    }

    /// Takes in what a program says of itself.
    pub(crate) fn hear_program(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(id) else { return };
        let Some(mut notify) = run.held.notify.take() else { return };
        let lasting = notify.lasting();
        let said = notify.receive(|sender| self.is_of_run(id, sender));
        // What lasts is known to a keeper after this one, too.
        self.to_hand.extend((notify.lasting() != lasting).then_some(id));
        if let Some(run) = self.runs.get_mut(id) {
            run.held.notify = Some(notify);
        }
        said.into_iter().for_each(|text| self.send(&Event::Notified { run: id, text }));
    }

    /// Whether a sender is of a run's tree.
    fn is_of_run(&self, id: u64, sender: Sender) -> bool {
        let Some(run) = self.runs.get(id) else { return false };
        if run.pid == sender.pid || self.marks.run_of(sender.pid) == Some(id) {
            return true;
        }
        let is_in_group = || run.held.group.as_ref().is_some_and(|group| group.contains(sender.pid));
        match tree::look(sender.pid) {
            Look::Alive(stat) => stat.session == run.pid || is_in_group(),
            // It said its word and ended, as `systemd-notify` in a script does, and nobody can tell any more. Who runs
            // as the same user could as well have taken the program over.
            Look::Gone | Look::Ended => sender.uid == run.held.uid,
            Look::Unknown => false,
        }
    }

    /// Takes in that something happened to a run's groups.
    pub(super) fn look_at_limits(&mut self, id: u64) {
        let Some(run) = self.runs.get_mut(id) else { return };
        let news = run.held.group.as_mut().map(|group| group.news()).unwrap_or_default();
        news.into_iter().for_each(|message| self.send(&Event::LimitReached { run: id, message }));
        if self.orphaned.contains(&id) {
            self.settle(Vec::new());
        }
    }

    /// What of this is due.
    pub(super) fn do_what_holding_needs(&mut self) {
        let now = Instant::now();
        if self.holding.look_at_usage.is_some_and(|at| at <= now) {
            let is_looked_at = |run: &Run| !run.is_over() && run.held.group.as_ref().is_some_and(|g| g.needs_looking());
            let runs: Vec<u64> = self.runs.iter().filter(|(_, run)| is_looked_at(run)).map(|(id, _)| id).collect();
            self.holding.look_at_usage = (!runs.is_empty()).then(|| now + OBSERVE);
            runs.into_iter().for_each(|id| self.look_at_limits(id));
        }
        if self.holding.look_at_survivors.is_some_and(|at| at <= now) {
            self.look_at_survivors(now);
        }
    }
}
