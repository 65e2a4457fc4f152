//! The thread that moves output from pipes to files. Nobody else touches a log
//! file, so that a disk which hangs holds up this thread alone: the keeper's
//! loop starts, stops and collects programs all the same (`desk`).

use super::ask::{Ask, Key, Missed, States, Told};
use super::file::LogFile;
use super::output::{Drained, HANGS, Output};
use super::pulse::Pulse;
use super::queue::Queue;
use super::wire::Gate;
use crate::diary;
use crate::epoll::{Epoll, Source};
use rustix::event::{EventfdFlags, eventfd};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// As much as a pipe holds.
const BUFFER: usize = 64 * 1024;

/// Outputs of a run.
const OUTPUTS: usize = 2;

/// Looks at most at a pipe whose program has ended.
const ROUNDS: usize = 16;

/// What both threads have.
pub(super) struct Shared {
    asked: Mutex<Queue>,
    /// Wakes the scribe.
    bell: OwnedFd,
    told: Mutex<Vec<Told>>,
    /// Wakes the loop.
    pub(super) news: OwnedFd,
    pub(super) gate: Gate,
    pub(super) pulse: Pulse,
}

impl Shared {
    pub(super) fn new() -> io::Result<Self> {
        let event = || eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK);
        Ok(Self {
            asked: Mutex::default(),
            bell: event()?,
            told: Mutex::default(),
            news: event()?,
            gate: Gate::default(),
            pulse: Pulse::new()?,
        })
    }

    pub(super) fn ask(&self, ask: Ask) {
        if self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(ask) {
            ring(&self.bell);
        }
    }

    /// Writes a line into the diary when there is time.
    pub(super) fn say(&self, line: String) {
        self.ask(Ask::Say(line));
    }

    /// From now on the loop reads. A scribe that had just done its work is back at once.
    pub(super) fn stand_in(&self) {
        self.gate.stand_in();
        ring(&self.bell);
    }

    fn next_ask(&self) -> Option<Ask> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    pub(super) fn take_told(&self) -> Vec<Told> {
        hush(&self.news);
        std::mem::take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tell(&self, told: impl IntoIterator<Item = Told>) {
        let more = {
            let mut waiting = self.told.lock().unwrap_or_else(PoisonError::into_inner);
            let before = waiting.len();
            waiting.extend(told);
            waiting.len() > before
        };
        if more {
            ring(&self.news);
        }
    }
}

fn ring(event: &OwnedFd) {
    // Refused only when it was rung 2^64 times and nobody looked.
    let _ = rustix::io::write(event, &1_u64.to_ne_bytes());
}

fn hush(event: &OwnedFd) {
    // Nothing to be read: nobody rang.
    let _ = rustix::io::read(event, &mut [0; 8]);
}

/// The thread's own.
pub(super) struct Scribe {
    shared: Arc<Shared>,
    epoll: Epoll,
    outputs: BTreeMap<Key, Box<Output>>,
    /// When to try again to write what a disk did not take.
    due: Option<Instant>,
    buffer: Vec<u8>,
}

impl Scribe {
    pub(super) fn new(shared: Arc<Shared>) -> io::Result<Self> {
        let epoll = Epoll::new()?;
        epoll.add(&shared.bell, Source::Scribe)?;
        // What was asked of the one before and not done.
        ring(&shared.bell);
        Ok(Self { shared, epoll, outputs: BTreeMap::new(), due: None, buffer: vec![0; BUFFER] })
    }

    /// Until it is told to end.
    pub(super) fn run(mut self) {
        let mut ready = Vec::new();
        loop {
            let patience = self.due.map(|due| due.saturating_duration_since(Instant::now()));
            if let Err(e) = self.epoll.wait(&mut ready, patience) {
                // As for the loop: another keeper does better.
                diary::write(rustix::stdio::stderr(), format_args!("cannot wait for output: {e}"));
                std::process::exit(1);
            }
            self.shared.pulse.begin();
            let goes_on = self.turn(&ready);
            self.shared.pulse.end();
            if !goes_on {
                return;
            }
        }
    }

    fn turn(&mut self, ready: &[Source]) -> bool {
        if ready.contains(&Source::Scribe) {
            hush(&self.shared.bell);
        }
        for source in ready {
            // The loop may be waiting for an answer.
            if !self.obey() {
                return false;
            }
            if let Source::Output { run, index } = *source {
                self.pump(Key { run, index });
            }
        }
        if !self.obey() {
            return false;
        }
        if self.due.is_some_and(|due| due <= Instant::now()) {
            self.due = None;
            self.retry();
        }
        self.come_back();
        true
    }

    /// Whoever stood in for this thread need not any more.
    fn come_back(&mut self) {
        self.shared.gate.as_scribe(|| ());
        if !self.shared.gate.came_back() {
            return;
        }
        // The loop looks whether it still stands in: first of all, for what comes now may hang again.
        ring(&self.shared.news);
        let now = Instant::now();
        for output in self.outputs.values_mut() {
            output.count_missing(now);
        }
        self.retry();
    }

    /// Does what was asked; false: it is over.
    fn obey(&mut self) -> bool {
        while let Some(ask) = self.shared.next_ask() {
            self.shared.pulse.step();
            match ask {
                Ask::Open { outputs, opened } => {
                    // Who asked may have gone on.
                    let _ = opened.send(self.open(outputs));
                }
                Ask::Begin { key, policy, json } => {
                    if let Some(output) = self.outputs.get_mut(&key) {
                        output.begin(policy, json);
                        self.listen(key);
                    }
                }
                Ask::Restore { key, wire, state } => {
                    self.outputs.insert(key, Box::new(Output::restore(*state, wire)));
                    self.listen(key);
                    // What is held back, and what is missing, waits for nobody to say more.
                    self.pump(key);
                }
                Ask::Drain { run, done } => {
                    self.drain(run);
                    let _ = done.send(());
                }
                Ask::KeepBy { key, policy } => {
                    if let Some(output) = self.outputs.get_mut(&key) {
                        output.keep_by(policy);
                    }
                }
                Ask::Tell { run, states } => {
                    let of_run = self.outputs.range(Key { run, index: 0 }..Key { run, index: OUTPUTS });
                    let _ = states.send(of_run.map(|(key, output)| (*key, output.state())).collect());
                }
                Ask::Close { run } => self.finish(run),
                Ask::Count(Missed { path, policy, json, bytes }) => {
                    let mut file = LogFile::reopen(&path, policy);
                    file.missed(bytes, HANGS, Instant::now());
                    file.close(json.as_deref());
                }
                Ask::Say(line) => diary::write(rustix::stdio::stderr(), format_args!("{line}")),
                Ask::Give { states, waits } => {
                    if waits.swap(false, Ordering::AcqRel) {
                        let _ = states.send(self.give());
                        return false;
                    }
                }
                Ask::End { done } => {
                    let runs: BTreeSet<u64> = self.outputs.keys().map(|key| key.run).collect();
                    runs.into_iter().for_each(|run| self.finish(run));
                    let _ = done.send(());
                    return false;
                }
            }
        }
        true
    }

    fn open(&mut self, outputs: Vec<(Key, Arc<super::Wire>, std::path::PathBuf)>) -> io::Result<()> {
        let mut outcome = Ok(());
        for (key, wire, path) in outputs {
            let (output, opened) = Output::open(wire, &path);
            self.outputs.insert(key, Box::new(output));
            outcome = outcome.and(opened);
        }
        outcome
    }

    fn listen(&mut self, key: Key) {
        let Some(output) = self.outputs.get(&key) else { return };
        if let Err(e) = self.epoll.add(&output.wire.pipe, Source::Output { run: key.run, index: key.index }) {
            // Its pipe will fill and hold it up: say so, it is the operator's to raise the limit.
            let line = format_args!("cannot read the output of run {}: {e}", key.run);
            diary::write(rustix::stdio::stderr(), line);
        }
    }

    /// An output has something.
    fn pump(&mut self, key: Key) {
        let Some(output) = self.outputs.get_mut(&key) else { return };
        let drained = output.pump(&mut self.buffer, &self.shared.gate, &self.shared.pulse);
        self.tell(key, drained);
    }

    fn drain(&mut self, run: u64) {
        for index in 0..OUTPUTS {
            let key = Key { run, index };
            let Some(output) = self.outputs.get_mut(&key) else { continue };
            output.look_again();
            let (buffer, shared) = (&mut self.buffer, &self.shared);
            // A pipe holds 1 MiB at most: a few rounds empty it even while somebody else goes on writing.
            let mut pumped = (0..ROUNDS).map(|_| output.pump(buffer, &shared.gate, &shared.pulse));
            let drained = pumped.find(|drained| *drained != Drained::More);
            self.tell(key, drained.unwrap_or(Drained::More));
        }
    }

    /// What follows from having pumped an output: the loop hears of it, and a
    /// pipe that cannot be read now, or never again, is waited for no more.
    fn tell(&mut self, key: Key, drained: Drained) {
        let Some(output) = self.outputs.get_mut(&key) else { return };
        match drained {
            Drained::More | Drained::Empty => {}
            Drained::Blocked => {
                // Told of an end, too, as long as it is waited for: taken out as a whole.
                if !std::mem::replace(&mut output.parked, true) {
                    self.epoll.remove(&output.wire.pipe);
                }
            }
            Drained::Closed => {
                // Others may hold its pipe as well: closing our end is not enough.
                self.epoll.remove(&output.wire.pipe);
                output.finish();
            }
        }
        if let Some(retry) = output.retry() {
            self.due = Some(self.due.map_or(retry, |due| due.min(retry)));
        }
        let news = output.news().into_iter().map(|news| Told::News(key, news));
        let closed = (drained == Drained::Closed).then_some(Told::Closed(key));
        self.shared.tell(news.chain(closed));
        // Last: who finds it at rest has heard all of it.
        output.wire.set_busy(output.holds_back());
        if drained == Drained::Closed {
            self.outputs.remove(&key);
        }
    }

    /// Tries again where the disk took nothing.
    fn retry(&mut self) {
        let now = Instant::now();
        let waiting = self.outputs.iter().filter(|(_, output)| output.retry().is_some() || output.parked);
        for key in waiting.map(|(key, _)| *key).collect::<Vec<_>>() {
            self.shared.pulse.step();
            let Some(output) = self.outputs.get_mut(&key) else { continue };
            output.try_again(now);
            if output.parked && output.retry().is_none() {
                output.parked = false;
                self.listen(key);
            }
            self.tell(key, Drained::Empty);
        }
    }

    /// Nothing more is to come of a run.
    fn finish(&mut self, run: u64) {
        self.shared.pulse.step();
        // While the disk hung nobody has asked for what is in its pipes.
        self.drain(run);
        (0..OUTPUTS).for_each(|index| self.close(Key { run, index }));
    }

    fn close(&mut self, key: Key) {
        let Some(mut output) = self.outputs.remove(&key) else { return };
        // Others have duplicates: closing would not be enough.
        self.epoll.remove(&output.wire.pipe);
        output.finish();
        let news = output.news();
        self.shared.tell(news.into_iter().map(|news| Told::News(key, news)));
    }

    fn give(&mut self) -> States {
        let outputs = std::mem::take(&mut self.outputs);
        outputs.into_iter().map(|(key, output)| (key, output.into_state())).collect()
    }
}
