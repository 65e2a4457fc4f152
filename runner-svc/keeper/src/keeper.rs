//! The loop: wait, take one event in, do what follows from it.

use crate::connection::{Closed, Connection};
use crate::diary::say;
use crate::epoll::{Epoll, Source};
use crate::mark::Marks;
use crate::orphans::Orphans;
use crate::output::Drained;
use crate::protocol::{Event, Request, SpawnRequest, VERSION};
use crate::run::Run;
use nix::sys::signalfd::SignalFd;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::net::UnixListener;
use std::time::{Duration, Instant};

/// One buffer for all pipes and the socket: a pipe's capacity.
const BUFFER: usize = 64 * 1024;

/// How long nobody is let in after the kernel refused to (out of descriptors
/// or memory): whoever knocks keeps waiting in the socket's queue.
const REFUSED: Duration = Duration::from_secs(1);

pub(crate) struct Keeper {
    epoll: Epoll,
    listener: UnixListener,
    pub(crate) signals: SignalFd,
    runner: Option<Connection>,
    pub(crate) runs: BTreeMap<u64, Run>,
    /// Main processes that have not been collected.
    pub(crate) by_pid: BTreeMap<u32, u64>,
    /// Runs whose main process ended and whose tree is not known to be empty.
    pub(crate) orphaned: BTreeSet<u64>,
    pub(crate) orphans: Orphans,
    marks: Marks,
    /// When to look again at trees that could not be seen with certainty.
    pub(crate) look_again: Option<Instant>,
    /// When to listen again after a refusal.
    listen_again: Option<Instant>,
    null: File,
    nofile: (u64, u64),
    pub(crate) buffer: Vec<u8>,
    ending: bool,
}

impl Keeper {
    pub(crate) fn new(listener: UnixListener, signals: SignalFd, nofile: (u64, u64), marks: Marks) -> io::Result<Self> {
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
            orphans: Orphans::new(marks),
            marks,
            look_again: None,
            listen_again: None,
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
            // None, as a rule: nothing wakes an idle keeper.
            let due = [self.look_again, self.listen_again].into_iter().flatten().min();
            self.epoll.wait(&mut ready, due.map(|due| due.saturating_duration_since(Instant::now())))?;
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
            self.do_what_is_due();
            self.flush();
        }
        Ok(())
    }

    fn do_what_is_due(&mut self) {
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        if is_due(self.look_again) {
            self.look_again = None;
            self.settle(Vec::new());
        }
        if is_due(self.listen_again) {
            self.listen_again = None;
            if let Err(e) = self.epoll.listen(&self.listener, Source::Listener, true) {
                say!("cannot listen again: {e}");
            }
        }
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
                // What the one before has asked for is done, though it may be gone.
                self.hear_runner();
                // The newest runner is the right one: runners exclude each other by a lock of their own.
                if let Err(e) = self.epoll.add(&connection.stream, Source::Runner) {
                    say!("cannot wait for the runner: {e}");
                } else {
                    self.runner = Some(connection);
                }
            }
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) => {
                // It would be ready again at once, and again refused.
                say!("cannot accept a runner: {e}");
                if self.epoll.listen(&self.listener, Source::Listener, false).is_ok() {
                    self.listen_again = Some(Instant::now() + REFUSED);
                }
            }
        }
    }

    fn hear_runner(&mut self) {
        let Some(runner) = &mut self.runner else { return };
        let (requests, closed) = runner.receive(&mut self.buffer);
        requests.into_iter().for_each(|request| self.obey(request));
        if let Some(closed) = closed {
            self.lose_runner(&closed);
        }
    }

    /// Lets go of the runner. What it has asked for and nobody has read yet is
    /// done: a write that fails is often the first to tell that it is gone.
    fn lose_runner(&mut self, why: &Closed) {
        say!("runner disconnected: {why}");
        let Some(mut runner) = self.runner.take() else { return };
        let (requests, _) = runner.receive(&mut self.buffer);
        requests.into_iter().for_each(|request| self.obey(request));
        // Nothing to keep, and nobody to keep it for: the next runner starts a keeper of its own.
        self.ending |= self.runs.is_empty();
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
                    self.kill_leftovers();
                    self.ending = true;
                } else {
                    self.send(&Event::ShutdownRefused { alive: u32::try_from(alive).unwrap_or(u32::MAX) });
                }
            }
        }
    }

    fn welcome(&mut self, version: u32) {
        if let Some(runner) = &mut self.runner {
            if version == 0 {
                runner.failed = Some(Closed::NoVersion);
                return;
            }
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
        match Run::spawn(request, &self.null, self.nofile, self.marks.mark(id)) {
            Ok(run) => {
                for (index, output) in run.outputs.iter().enumerate() {
                    if let Some(output) = output
                        && let Err(e) = self.epoll.add(&output.pipe, Source::Output { run: id, index })
                    {
                        // Its pipe will fill and hold it up: say so, it is the operator's to raise the limit.
                        say!("cannot read the output of {}: {e}", request.instance);
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

    pub(crate) fn send(&mut self, event: &Event) {
        let Some(runner) = &mut self.runner else { return };
        if !runner.greeted {
            // It learns everything from the greeting.
            return;
        }
        if runner.failed.is_none() {
            // It is let go of after this round: requests are obeyed in their order.
            runner.failed = runner.send(event).err();
        }
    }

    fn flush(&mut self) {
        let Some(runner) = &mut self.runner else { return };
        let flushed = runner.failed.take().map_or_else(|| runner.flush(), Err);
        let outcome = flushed.and_then(|more| Ok(self.epoll.want_write(&runner.stream, Source::Runner, more)?));
        if let Err(closed) = outcome {
            self.lose_runner(&closed);
        }
    }
}
