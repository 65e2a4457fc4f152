//! The loop: wait, take one event in, do what follows from it.
//!
//! | file | what |
//! |---|---|
//! | `requests` | what the runner asks for, done |
//! | `fencing` | singletons whose lease is over, ended |
//! | `foreign` | runs that were taken over from a keeper that was lost |
//! | `upgrade` | becoming another program, with everything that is held |
//! | `runner` | the runner comes, is heard and told, goes |
//! | `start` | a program started, and what is held for it attended to |

mod fencing;
mod foreign;
mod requests;
mod runner;
mod start;
mod upgrade;

use crate::casualties::Casualties;
use crate::connection::Connection;
use crate::diary::say;
use crate::epoll::{Epoll, Source};
use crate::fences::Fences;
use crate::log::Desk;
use crate::mark::Marks;
use crate::orphans::Orphans;
use crate::runs::Runs;
use foreign::Foreign;
use nix::sys::signalfd::SignalFd;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::net::UnixListener;
use std::time::Instant;

/// One buffer for the socket, and for pipes that are read in the scribe's stead: a pipe's capacity.
const BUFFER: usize = 64 * 1024;

pub(crate) struct Keeper {
    pub(crate) epoll: Epoll,
    listener: UnixListener,
    pub(crate) signals: SignalFd,
    runner: Option<Connection>,
    pub(crate) runs: Runs,
    /// Main processes that have not been collected.
    pub(crate) by_pid: BTreeMap<u32, u64>,
    /// Runs whose main process ended and whose tree is not known to be empty.
    pub(crate) orphaned: BTreeSet<u64>,
    pub(crate) orphans: Orphans,
    pub(crate) casualties: Casualties,
    /// Runs that were taken over from a keeper that was lost.
    foreign: BTreeMap<u64, Foreign>,
    /// Their main processes, which are no children of ours.
    foreign_mains: BTreeMap<u32, u64>,
    /// Runs of which the runner gets the state and the descriptors, as soon as
    /// nothing else is to be said.
    pub(crate) to_hand: BTreeSet<u64>,
    /// The same, once the disk under the logs answers again.
    pub(crate) unhanded: BTreeSet<u64>,
    /// Runs that are over and that the runner has asked to forget.
    to_forget: Vec<u64>,
    marks: Marks,
    /// What this program is built from.
    build: String,
    /// When to look again at trees that could not be seen with certainty.
    pub(crate) look_again: Option<Instant>,
    /// The way to whoever writes the logs.
    pub(crate) desk: Desk,
    pub(crate) fences: Fences,
    /// When to listen again after a refusal.
    listen_again: Option<Instant>,
    null: File,
    pub(crate) holding: start::Holding,
    nofile: (u64, u64),
    pub(crate) buffer: Vec<u8>,
    /// The program that the runner wants this one to become.
    upgrade: Option<String>,
    ending: bool,
    /// Held for as long as this keeper lives: dropped last, when the logs are finished.
    lock: File,
}

impl Keeper {
    pub(crate) fn new(listener: UnixListener, signals: SignalFd, nofile: (u64, u64), lock: File) -> io::Result<Self> {
        let marks = Marks::of(&lock)?;
        let null = File::open("/dev/null")?;
        let holding = start::Holding::new(nofile, marks.identity(), &null)?;
        listener.set_nonblocking(true)?;
        let epoll = Epoll::new()?;
        epoll.add(&listener, Source::Listener)?;
        epoll.add(&signals, Source::Signals)?;
        let fences = Fences::new()?;
        epoll.add(&fences, Source::Leases)?;
        let desk = Desk::open()?;
        epoll.add(desk.news(), Source::Logs)?;
        epoll.add(desk.pulse(), Source::Pulse)?;
        Ok(Self {
            epoll,
            listener,
            signals,
            runner: None,
            runs: Runs::default(),
            by_pid: BTreeMap::new(),
            orphaned: BTreeSet::new(),
            orphans: Orphans::new(marks),
            casualties: Casualties::watch(),
            foreign: BTreeMap::new(),
            foreign_mains: BTreeMap::new(),
            to_hand: BTreeSet::new(),
            to_forget: Vec::new(),
            lock,
            marks,
            build: crate::build_name::build(),
            look_again: None,
            unhanded: BTreeSet::new(),
            desk,
            fences,
            listen_again: None,
            null,
            holding,
            nofile,
            buffer: vec![0; BUFFER],
            upgrade: None,
            ending: false,
        })
    }

    /// Runs until told to shut down.
    pub(crate) fn serve(&mut self) -> io::Result<()> {
        let mut ready = Vec::new();
        while !self.ending {
            // None, as a rule: nothing wakes an idle keeper.
            let due = [self.look_again, self.listen_again, self.foreign_due(), self.holding.due()]
                .into_iter()
                .flatten()
                .min();
            self.epoll.wait(&mut ready, due.map(|due| due.saturating_duration_since(Instant::now())))?;
            // What it says before signals: a program's words come before its end.
            ready.sort_by_key(|source| !matches!(source, Source::Output { .. } | Source::Notify { .. }));
            self.desk.begin_turn();
            for source in &ready {
                match *source {
                    Source::Output { run, index } => self.read_in_stead(run, index),
                    Source::Logs => self.hear_logs(),
                    Source::Pulse => self.feel_pulse(),
                    Source::Signals => self.reap(),
                    Source::Listener => self.accept(),
                    Source::Runner => self.hear_runner(),
                    Source::Leases => self.end_fenced(),
                    Source::Main { run } => self.foreign_ended(run),
                    Source::Notify { run } => self.hear_program(run),
                    Source::Limits { run } => self.look_at_limits(run),
                    // The scribe's own.
                    Source::Scribe => {}
                }
            }
            self.forget();
            self.do_what_is_due();
            self.flush();
            self.become_what_was_asked();
        }
        Ok(())
    }

    fn do_what_is_due(&mut self) {
        self.give_up_on_foreign();
        let is_due = |at: Option<Instant>| at.is_some_and(|at| at <= Instant::now());
        if is_due(self.look_again) {
            self.look_again = None;
            self.settle(Vec::new());
        }
        self.do_what_holding_needs();
        if is_due(self.listen_again) {
            self.listen_again = None;
            if let Err(e) = self.epoll.listen(&self.listener, Source::Listener, true) {
                say!("cannot listen again: {e}");
            }
        }
    }
}
