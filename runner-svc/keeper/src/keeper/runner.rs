//! The runner at the other end: it comes, is greeted, heard and told, and goes.

use super::Keeper;
use crate::connection::{Closed, Connection};
use crate::diary::say;
use crate::epoll::Source;
use crate::log::{Key, OutputState, States};
use crate::protocol::{Event, Opaque, RunRecord, VERSION};
use crate::resume::{For, Kept};
use crate::run::Run;
use std::io;
use std::time::{Duration, Instant};

/// How long nobody is let in after the kernel refused to (out of descriptors
/// or memory): whoever knocks keeps waiting in the socket's queue.
const REFUSED: Duration = Duration::from_secs(1);

impl Keeper {
    pub(super) fn accept(&mut self) {
        match self.listener.accept().and_then(|(stream, _)| Connection::new(stream)) {
            Ok(connection) => {
                // What the one before has asked for is done, though it may be gone.
                if self.runner.is_some() {
                    self.lose_runner(&Closed::Replaced);
                    self.ending = false;
                }
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

    pub(super) fn hear_runner(&mut self) {
        let Some(runner) = &mut self.runner else { return };
        let (requests, closed) = runner.receive(&mut self.buffer);
        requests.into_iter().for_each(|request| self.obey(request));
        if let Some(closed) = closed {
            self.lose_runner(&closed);
        }
    }

    /// Lets go of the runner. What it has asked for and nobody has read yet is
    /// done: a write that fails is often the first to tell that it is gone.
    pub(super) fn lose_runner(&mut self, why: &Closed) {
        say!("runner disconnected: {why}");
        let Some(mut runner) = self.runner.take() else { return };
        loop {
            let (requests, closed) = runner.receive(&mut self.buffer);
            let is_all = closed.is_some() || requests.is_empty();
            requests.into_iter().for_each(|request| self.obey(request));
            if is_all {
                break;
            }
        }
        self.forget();
        // Nothing to keep, and nobody to keep it for: the next runner starts a keeper of its own.
        self.ending |= self.runs.is_empty();
    }

    pub(super) fn welcome(&mut self, version: u32) {
        if let Some(runner) = &mut self.runner {
            if version == 0 {
                runner.failed = Some(Closed::NoVersion);
                return;
            }
            runner.version = Some(version);
        }
        self.forget();
        self.to_hand = self.runs.iter().filter(|(_, run)| !run.is_over()).map(|(id, _)| id).collect();
        self.greet();
    }

    /// Says who this keeper is, and what it holds.
    pub(super) fn greet(&mut self) {
        let records = self.runs.iter().map(|(id, run)| {
            let fence = self.fences.of(&run.instance);
            RunRecord { fence, ..run.record(id) }
        });
        let runs = records.collect();
        self.send(&Event::Welcome {
            version: VERSION,
            pid: std::process::id(),
            runs,
            build: self.build.clone(),
            containment: self.holding.cgroups.containment().to_owned(),
            containment_note: self.holding.cgroups.note(),
        });
    }

    /// Tells the runner, if there is one that knows what is said.
    pub(crate) fn send(&mut self, event: &Event) {
        let Some(runner) = &mut self.runner else { return };
        // Not greeted: it learns everything from the greeting.
        let Some(version) = runner.version else { return };
        if version >= since(event) && runner.failed.is_none() {
            // It is let go of after this round: requests are obeyed in their order.
            runner.failed = runner.send(event).err();
        }
    }

    pub(crate) fn flush(&mut self) {
        let Some(runner) = &mut self.runner else { return };
        let flushed = runner.failed.take().map_or_else(|| runner.flush(), Err);
        let outcome = match flushed {
            Ok(false) => self.hand_over(),
            other => other,
        };
        let Some(runner) = &mut self.runner else { return };
        let outcome = outcome.and_then(|more| {
            if more != runner.is_waiting {
                self.epoll.want_write(&runner.stream, Source::Runner, more)?;
                runner.is_waiting = more;
            }
            Ok(())
        });
        if let Err(closed) = outcome {
            self.lose_runner(&closed);
        }
    }

    /// Hands a run to the runner before anything else is said of it, if there
    /// is room; else it is done with the next turn.
    pub(super) fn hand_at_once(&mut self, id: u64) {
        let Some(runner) = &mut self.runner else { return };
        let outcome = runner.flush().and_then(|more| if more { Ok(false) } else { self.hand(id, true) });
        if let Err(closed) = outcome
            && let Some(runner) = &mut self.runner
        {
            runner.failed.get_or_insert(closed);
        }
    }

    /// Hands states and descriptors of runs to the runner, for the case that
    /// this keeper is lost. They are written down only now, one by one, so
    /// that they never wait in memory. True while some are left.
    fn hand_over(&mut self) -> Result<bool, Closed> {
        while let Some(id) = self.to_hand.first().copied() {
            if !self.desk.has_time_to_hand() || !self.hand(id, false)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Hands one run, when nothing else waits to be written; false when the
    /// socket is full. Where its outputs are the scribe knows, unless the run
    /// `has_just_begun`.
    fn hand(&mut self, id: u64, has_just_begun: bool) -> Result<bool, Closed> {
        let Some(runner) = self.runner.as_mut().filter(|runner| runner.version >= Some(2)) else {
            // Nobody who could take it: whoever comes next gets everything.
            self.to_hand.clear();
            return Ok(true);
        };
        let asked = if has_just_begun { None } else { self.desk.states(id) };
        let states = match self.runs.get(id) {
            Some(run) if !run.is_over() => asked.or_else(|| begun_with(id, run)),
            _ => Some(States::new()),
        };
        let Some(mut states) = states else {
            // Once the disk answers again; who needs it before has what it was handed before.
            self.to_hand.remove(&id);
            self.unhanded.insert(id);
            return Ok(true);
        };
        if let Some(run) = self.runs.get(id).filter(|run| !run.is_over()) {
            let mut kept = Kept::default();
            let reaper = self.foreign.get(&id).map(|foreign| foreign.reaper);
            let mut image = run.image(id, reaper, For::Successor, &mut states, &mut kept);
            image.sockets = self.holding.sockets.image(&run.instance, &mut kept);
            match rmp_serde::to_vec_named(&image) {
                Ok(state) => {
                    let event = Event::Handed { run: id, state: Opaque(state.into()) };
                    if !runner.hand(&event, &kept.0)? {
                        return Ok(false);
                    }
                }
                Err(e) => say!("{} cannot be handed on: {e}", run.instance),
            }
        }
        self.to_hand.remove(&id);
        let outlets = self.runs.get_mut(id).map(|run| run.outputs.iter_mut().flatten());
        outlets.into_iter().flatten().for_each(|outlet| outlet.fresh = None);
        let Some(runner) = &mut self.runner else { return Ok(true) };
        Ok(!runner.flush()?)
    }
}

/// Where the outputs of a run were when it began; `None`: it was handed since.
fn begun_with(id: u64, run: &Run) -> Option<States> {
    let open = run.outputs.iter().enumerate().filter_map(|(index, outlet)| Some((index, outlet.as_ref()?)));
    let open = open.filter(|(_, outlet)| outlet.is_open());
    open.map(|(index, outlet)| Some((Key { run: id, index }, OutputState::clone(outlet.fresh.as_ref()?)))).collect()
}

/// The version of the protocol that an event came with: who speaks an older
/// one cannot even read it.
fn since(event: &Event) -> u32 {
    match event {
        Event::Welcome { .. }
        | Event::Spawned { .. }
        | Event::SpawnFailed { .. }
        | Event::Exited { .. }
        | Event::TreeEmptied { .. }
        | Event::ShutdownRefused { .. } => 1,
        Event::Handed { .. }
        | Event::AdoptFailed { .. }
        | Event::UpgradeFailed { .. }
        | Event::Notified { .. }
        | Event::Rotated { .. }
        | Event::LogTrouble { .. }
        | Event::Survivors { .. }
        | Event::LimitReached { .. } => 2,
        Event::Fenced { .. } => 3,
    }
}
