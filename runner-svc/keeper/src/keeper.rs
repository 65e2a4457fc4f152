//! The loop: wait, take one event in, do what follows from it.

use crate::connection::{Closed, Connection};
use crate::epoll::{Epoll, Source};
use crate::output::Drained;
use crate::protocol::{Ending, Event, Request, SpawnRequest, VERSION};
use crate::run::{Run, wall_nanos};
use crate::tree;
use nix::sys::signalfd::SignalFd;
use process_model::ExitStatus;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::net::UnixListener;

/// One buffer for all pipes and the socket: a pipe's capacity.
const BUFFER: usize = 64 * 1024;

/// Rounds of SIGKILL: each finds who was forked during the one before. A tree
/// that outruns this many is reported by the runner's timer.
const KILL_ROUNDS: usize = 16;

pub(crate) struct Keeper {
    epoll: Epoll,
    listener: UnixListener,
    signals: SignalFd,
    runner: Option<Connection>,
    runs: BTreeMap<u64, Run>,
    /// Main processes that have not been reaped.
    by_pid: BTreeMap<u32, u64>,
    /// Runs whose main process ended and whose tree is not empty.
    orphaned: BTreeSet<u64>,
    null: File,
    nofile: (u64, u64),
    buffer: Vec<u8>,
    ending: bool,
}

impl Keeper {
    pub(crate) fn new(listener: UnixListener, signals: SignalFd, nofile: (u64, u64)) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new()?;
        epoll.add(&listener, Source::Listener)?;
        epoll.add(&signals, Source::Signals)?;
        Ok(Self {
            epoll,
            listener,
            signals,
            runner: None,
            runs: BTreeMap::new(),
            by_pid: BTreeMap::new(),
            orphaned: BTreeSet::new(),
            null: File::open("/dev/null")?,
            nofile,
            buffer: vec![0; BUFFER],
            ending: false,
        })
    }

    /// Runs until told to shut down.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while !self.ending {
            self.epoll.wait(&mut ready)?;
            // Outputs before signals: what a program wrote is in its file before its end is told.
            ready.sort_by_key(|source| !matches!(source, Source::Output { .. }));
            for source in &ready {
                match *source {
                    Source::Output { run, index } => self.pump(run, index),
                    Source::Signals => self.reap(),
                    Source::Listener => self.accept(),
                    Source::Runner => self.hear_runner(),
                }
            }
            self.flush();
        }
        Ok(())
    }

    fn pump(&mut self, run: u64, index: usize) {
        let Some(slot) = self.runs.get_mut(&run).and_then(|r| r.outputs.get_mut(index)) else { return };
        // Dropping the pipe also takes it out of the epoll set: it has no other descriptor.
        if slot.as_mut().map(|output| output.pump(&mut self.buffer)) == Some(Drained::Closed) {
            *slot = None;
        }
    }

    fn accept(&mut self) {
        match self.listener.accept().and_then(|(stream, _)| Connection::new(stream)) {
            Ok(connection) => {
                // The newest runner is the right one: runners exclude each other by a lock of their own.
                if let Err(e) = self.epoll.add(&connection.stream, Source::Runner) {
                    eprintln!("cannot wait for the runner: {e}");
                } else {
                    self.runner = Some(connection);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => eprintln!("cannot accept a runner: {e}"),
        }
    }

    fn hear_runner(&mut self) {
        let Some(runner) = &mut self.runner else { return };
        match runner.receive(&mut self.buffer) {
            Ok(requests) => requests.into_iter().for_each(|request| self.obey(request)),
            Err(closed) => self.lose_runner(&closed),
        }
    }

    fn lose_runner(&mut self, why: &Closed) {
        eprintln!("runner disconnected: {why}");
        self.runner = None;
    }

    fn obey(&mut self, request: Request) {
        match request {
            Request::Hello { version } => self.welcome(version),
            Request::Spawn(request) => self.spawn(&request),
            Request::SignalTree { run, signal } => self.signal_tree(run, signal),
            Request::Forget { run } => {
                if self.runs.get(&run).is_some_and(Run::is_over) {
                    self.runs.remove(&run);
                }
            }
            Request::Shutdown => {
                let alive = self.runs.values().filter(|run| !run.is_over()).count();
                if alive == 0 {
                    self.ending = true;
                } else {
                    self.send(&Event::ShutdownRefused { alive: u32::try_from(alive).unwrap_or(u32::MAX) });
                }
            }
        }
    }

    fn welcome(&mut self, version: u32) {
        if version == 0 {
            return self.lose_runner(&Closed::ByRunner);
        }
        if let Some(runner) = &mut self.runner {
            runner.greeted = true;
        }
        let runs = self.runs.iter().map(|(id, run)| run.record(*id)).collect();
        self.send(&Event::Welcome { version: VERSION, pid: std::process::id(), runs });
    }

    fn spawn(&mut self, request: &SpawnRequest) {
        let id = request.run;
        if let Some(run) = self.runs.get(&id) {
            let spawned = run.spawned(id);
            return self.send(&spawned);
        }
        match Run::spawn(request, &self.null, self.nofile) {
            Ok(run) => {
                for (index, output) in run.outputs.iter().enumerate() {
                    if let Some(output) = output
                        && let Err(e) = self.epoll.add(&output.pipe, Source::Output { run: id, index })
                    {
                        // Its pipe will fill and hold it up: say so, it is the operator's to raise the limit.
                        eprintln!("cannot read the output of {}: {e}", request.instance);
                    }
                }
                let spawned = run.spawned(id);
                self.by_pid.insert(run.pid, id);
                self.runs.insert(id, run);
                self.send(&spawned);
            }
            Err(failure) => {
                self.send(&Event::SpawnFailed { run: id, stage: failure.stage.to_owned(), message: failure.message })
            }
        }
    }

    /// Collects every child that ended, then looks which trees are empty.
    fn reap(&mut self) {
        while let Ok(Some(_)) = self.signals.read_signal() {}
        let mut ended = Vec::new();
        while let Ok(Some((pid, status))) = rustix::process::wait(rustix::process::WaitOptions::NOHANG) {
            // No such pid in the map: an orphan of some run.
            if let Some(run) = self.by_pid.remove(&pid.as_raw_nonzero().get().unsigned_abs()) {
                let status = match (status.exit_status(), status.terminating_signal()) {
                    (Some(code), _) => ExitStatus::Code(code),
                    (None, Some(signal)) => ExitStatus::Signal(signal),
                    (None, None) => ExitStatus::Unknown("the kernel gave no status".to_owned()),
                };
                ended.push((run, status));
            }
        }
        let orphans = self.orphans();
        for (id, status) in ended {
            let tree_empty = self.members(id, &orphans).is_empty();
            let Some(run) = self.runs.get_mut(&id) else { continue };
            run.drain(&mut self.buffer);
            let ending = Ending { status, at: wall_nanos(), tree_empty };
            run.end(ending.clone());
            self.orphaned.extend((!tree_empty).then_some(id));
            self.send(&Event::Exited { run: id, ending });
        }
        self.find_emptied(&orphans);
    }

    /// Our children that are no main process.
    fn orphans(&self) -> Vec<u32> {
        let mut children = tree::children_of(std::process::id());
        children.retain(|pid| !self.by_pid.contains_key(pid));
        children
    }

    fn members(&self, id: u64, orphans: &[u32]) -> BTreeMap<u32, u64> {
        let Some(run) = self.runs.get(&id) else { return BTreeMap::new() };
        let alive = self.by_pid.get(&run.pid) == Some(&id);
        if orphans.is_empty() && !alive {
            // Nobody to descend from: the usual end, and it costs nothing.
            return BTreeMap::new();
        }
        let root = tree::Root { main: run.pid, alive, start_time: run.start_time, instance: &run.instance };
        tree::members(root, orphans)
    }

    /// Tells of runs whose main process ended before and whose last process
    /// ended now.
    fn find_emptied(&mut self, orphans: &[u32]) {
        for id in self.orphaned.clone() {
            if !self.members(id, orphans).is_empty() {
                continue;
            }
            self.orphaned.remove(&id);
            if let Some(run) = self.runs.get_mut(&id) {
                run.drain(&mut self.buffer);
                if let Some(ending) = &mut run.ending {
                    ending.tree_empty = true;
                }
            }
            self.send(&Event::TreeEmptied { run: id });
        }
    }

    /// Signals every member through a pidfd of its own, opened and then
    /// checked against the start time, so that a reused number is never hit.
    fn signal_tree(&mut self, id: u64, number: i32) {
        let Some(signal) = rustix::process::Signal::from_named_raw(number) else { return };
        let Some(run) = self.runs.get(&id) else { return };
        if run.ending.is_none() {
            let _ = rustix::process::pidfd_send_signal(&run.pidfd, signal);
        }
        let mut signalled = BTreeSet::from([run.pid]);
        let rounds = if signal == rustix::process::Signal::KILL { KILL_ROUNDS } else { 1 };
        for _ in 0..rounds {
            let mut fresh = self.members(id, &self.orphans());
            fresh.retain(|pid, _| signalled.insert(*pid));
            if fresh.is_empty() {
                break;
            }
            for (pid, start_time) in fresh {
                signal_one(pid, start_time, signal);
            }
        }
    }

    fn send(&mut self, event: &Event) {
        let Some(runner) = &mut self.runner else { return };
        if !runner.greeted {
            // It learns everything from the greeting.
            return;
        }
        if let Err(closed) = runner.send(event) {
            self.lose_runner(&closed);
        }
    }

    fn flush(&mut self) {
        let Some(runner) = &mut self.runner else { return };
        let outcome =
            runner.flush().and_then(|more| Ok(self.epoll.want_write(&runner.stream, Source::Runner, more)?));
        if let Err(closed) = outcome {
            self.lose_runner(&closed);
        }
    }
}

fn signal_one(pid: u32, start_time: u64, signal: rustix::process::Signal) {
    let Some(pid_number) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) else { return };
    let Ok(pidfd) = rustix::process::pidfd_open(pid_number, rustix::process::PidfdFlags::empty()) else { return };
    // The descriptor is of whoever has the number now; the start time says whether that is who we saw.
    if tree::stat(pid).is_some_and(|stat| stat.start_time == start_time) {
        let _ = rustix::process::pidfd_send_signal(&pidfd, signal);
    }
}
