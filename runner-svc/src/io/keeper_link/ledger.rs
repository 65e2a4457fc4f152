//! What was asked of the keeper, what it said, and so what became of each run
//! when the connection breaks.
//!
//! ```text
//!            written            Spawned              ending with an empty tree
//!  unsent ──────────▶ asked ──────────────▶ held ──────────────────────────────▶ (nothing)
//!     ▲                 │ SpawnFailed: (nothing)
//!     └─────────────────┘ same keeper, and it does not know the run
//!  another keeper: it is asked to take over what is held, with what the lost one handed us for that;
//!                  what was never handed is lost, and so is what was asked; what is unsent goes to it
//! ```

use super::older::{self, Fit};
use crate::io::leftovers::{Kept, Lost, MainProcess, ticks_since_boot};
use process_model::ExitStatus;
use runner_keeper::frame;
use runner_keeper::protocol::{Ending, Event, Fence, Opaque, Request, RunRecord, VERSION};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

#[derive(Debug)]
pub(super) struct Ledger {
    /// Not written yet, oldest first.
    unsent: VecDeque<Outgoing>,
    /// Spawns that were written and not answered.
    asked: BTreeMap<u64, Outgoing>,
    /// Runs that the keeper holds and that are not over.
    held: BTreeMap<u64, Held>,
    /// What was handed of runs whose `Spawned` has not come yet.
    early: BTreeMap<u64, Box<Handed>>,
    /// Until when singletons may run, by instance, as it was said last.
    fences: BTreeMap<String, Fence>,
    /// Whether the keeper was told to end and has not refused. Nothing but its
    /// refusal takes that back.
    shutting_down: bool,
    /// The keeper's version of the protocol.
    version: u32,
}

#[derive(Debug)]
struct Outgoing {
    request: Request,
    bytes: Vec<u8>,
    /// When it was queued, in clock ticks since boot: nothing of it is older.
    since: u64,
}

#[derive(Debug)]
struct Held {
    instance: Box<str>,
    main: MainProcess,
    /// What another keeper needs to go on with it.
    handed: Option<Box<Handed>>,
    /// How it ended, while something of it is left.
    ending: Option<Box<Ending>>,
    /// How its main process ended, when we collected that.
    collected: Option<Box<ExitStatus>>,
}

#[derive(Debug)]
struct Handed {
    state: Opaque,
    descriptors: Box<[OwnedFd]>,
}

/// What goes out with one write.
pub(super) struct Burst<'a> {
    pub(super) bytes: Vec<u8>,
    /// With the first byte.
    pub(super) descriptors: Vec<BorrowedFd<'a>>,
}

/// What became of the runs when another keeper was connected to.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Reconciled {
    /// Runs that nobody holds any more, with how to find what is left of them.
    pub(super) lost: Vec<Lost>,
    /// Runs that the new keeper is asked to take over.
    pub(super) handed_on: usize,
}

impl Default for Ledger {
    fn default() -> Self {
        Self {
            unsent: VecDeque::new(),
            asked: BTreeMap::new(),
            held: BTreeMap::new(),
            early: BTreeMap::new(),
            fences: BTreeMap::new(),
            shutting_down: false,
            version: VERSION,
        }
    }
}

impl Ledger {
    /// Takes a request in. Returns the answer of one that the keeper cannot be
    /// asked: it must not stand before all others for ever.
    pub(super) fn queue(&mut self, request: Request) -> Option<Event> {
        self.shutting_down |= matches!(request, Request::Shutdown);
        self.note_fence(&request);
        match older::fit(&request, self.version) {
            Fit::AsItIs => {}
            Fit::Answered(answer) => return Some(answer),
            Fit::Passed => return None,
            Fit::ByHand { run, signal } => {
                if let Some(held) = self.held.get(&run) {
                    crate::io::leftovers::signal_main(held.main, signal);
                }
                return None;
            }
        }
        let mut bytes = Vec::new();
        match frame::encode(&request, &mut bytes) {
            Ok(()) => {
                self.unsent.push_back(Outgoing { request, bytes, since: ticks_since_boot() });
                None
            }
            Err(e) => {
                // All others are small: always encodable.
                let Request::Spawn(spawn) = request else { return None };
                Some(Event::SpawnFailed { run: spawn.run, stage: "request".to_owned(), message: e.to_string() })
            }
        }
    }

    /// What is to be written next: as much as can go with one write, so 500
    /// starts are a few system calls. Descriptors go with the first byte of
    /// their request, so that one goes alone.
    pub(super) fn burst(&self) -> Burst<'_> {
        if let Some(Outgoing { request: Request::Adopt { run, .. }, bytes, .. }) = self.unsent.front() {
            let handed = self.held.get(run).and_then(|held| held.handed.as_deref());
            let descriptors = handed.into_iter().flat_map(|handed| handed.descriptors.iter().map(OwnedFd::as_fd));
            return Burst { bytes: bytes.clone(), descriptors: descriptors.collect() };
        }
        let plain = self.unsent.iter().take_while(|outgoing| !matches!(outgoing.request, Request::Adopt { .. }));
        Burst { bytes: plain.flat_map(|outgoing| outgoing.bytes.iter().copied()).collect(), descriptors: Vec::new() }
    }

    /// The kernel took this many bytes of the burst. A request of which it
    /// took only a part is as good as unsent: no keeper acts on half of one.
    pub(super) fn written(&mut self, mut bytes: usize) {
        while bytes > 0
            && let Some(outgoing) = self.unsent.pop_front()
        {
            let Some(rest) = bytes.checked_sub(outgoing.bytes.len()) else {
                self.unsent.push_front(outgoing);
                return;
            };
            bytes = rest;
            if self.unsent.is_empty() {
                // A thousand starts at once need room that nobody needs afterwards.
                self.unsent = VecDeque::new();
            }
            match &outgoing.request {
                Request::Spawn(spawn) => {
                    self.asked.insert(spawn.run, outgoing);
                }
                // A keeper drops no record of a run that is not over: it goes on holding it.
                Request::Forget { .. } => {}
                // Held already; what was handed stays here for the keeper after that one.
                Request::Adopt { .. } => {}
                Request::Hello { .. }
                | Request::SignalMain { .. }
                | Request::SetLogs { .. }
                | Request::CloseSockets { .. }
                | Request::Fence { .. }
                | Request::Upgrade { .. }
                | Request::Collected { .. }
                | Request::SignalTree { .. }
                | Request::Shutdown => {}
            }
        }
    }

    pub(super) fn has_unsent(&self) -> bool {
        !self.unsent.is_empty()
    }

    pub(super) fn is_shutting_down(&self) -> bool {
        self.shutting_down
    }

    /// Takes in what the keeper says, with the descriptors that came with it.
    pub(super) fn heard(&mut self, event: &Event, descriptors: Vec<OwnedFd>) {
        match event {
            Event::Spawned { run, pid, start_time, .. } => {
                let main = MainProcess { pid: *pid, start_time: *start_time };
                if let Some(Request::Spawn(spawn)) = self.asked.remove(run).map(|asked| asked.request) {
                    let handed = self.early.remove(run);
                    self.held.insert(*run, Held { handed, ..Held::new(&spawn.instance, main) });
                } else if let Some(held) = self.held.get_mut(run) {
                    held.main = main;
                }
            }
            Event::Handed { run, state } => {
                let handed = Box::new(Handed { state: state.clone(), descriptors: descriptors.into() });
                if let Some(held) = self.held.get_mut(run) {
                    held.handed = Some(handed);
                } else if self.asked.contains_key(run) {
                    self.early.insert(*run, handed);
                }
            }
            Event::SpawnFailed { run, .. } => {
                self.asked.remove(run);
                self.early.remove(run);
            }
            Event::Exited { run, ending } => {
                // With an empty tree nothing is left to be lost; only the record is.
                if ending.tree_empty {
                    self.held.remove(run);
                } else if let Some(held) = self.held.get_mut(run) {
                    held.ending = Some(Box::new(ending.clone()));
                }
            }
            Event::TreeEmptied { run } => {
                self.held.remove(run);
            }
            Event::ShutdownRefused { .. } => self.shutting_down = false,
            Event::Welcome { version, .. } => self.version = *version,
            // Who hears of it ends what is left and gives it up.
            Event::AdoptFailed { .. }
            | Event::UpgradeFailed { .. }
            | Event::Notified { .. }
            | Event::Fenced { .. }
            | Event::Rotated { .. }
            | Event::Survivors { .. }
            | Event::LogTrouble { .. }
            | Event::LimitReached { .. } => {}
        }
    }

    /// Somebody whose parent was lost has ended, and we collected it. A keeper
    /// that took its run over cannot know how it ended, on an older kernel.
    pub(super) fn collected(&mut self, main: MainProcess, status: ExitStatus) {
        let Some((run, held)) = self.held.iter_mut().find(|(_, held)| held.main == main) else { return };
        held.collected = Some(Box::new(status.clone()));
        let run = *run;
        self.queue(Request::Collected { run, status });
    }

    /// A run that is not to be had back from anybody.
    pub(super) fn give_up(&mut self, run: u64) -> Option<Lost> {
        self.held.remove(&run).map(|held| Lost::of(run, held.main, held.instance))
    }

    /// The runs that somebody holds, or is asked to hold.
    pub(super) fn kept(&self) -> Vec<Kept> {
        let kept = self.held.iter().map(|(run, held)| (*run, held.main, held.instance.clone()));
        kept.map(|(run, main, instance)| Kept { run, main, instance }).collect()
    }

    /// Takes in what a keeper holds that was just connected to.
    pub(super) fn reconcile(&mut self, records: &[RunRecord], same_keeper: bool) -> Reconciled {
        let mut there = BTreeSet::new();
        for record in records {
            there.insert(record.run);
            self.asked.remove(&record.run);
            let over = record.ending.as_ref().is_some_and(|ending| ending.tree_empty);
            if over {
                self.held.remove(&record.run);
            } else {
                let main = MainProcess { pid: record.pid, start_time: record.start_time };
                let held = self.held.entry(record.run).or_insert_with(|| Held::new(&record.instance, main));
                held.ending = record.ending.clone().map(Box::new);
            }
        }
        // Half a hand-over died with its keeper; it is made anew below.
        self.unsent.retain(|outgoing| !matches!(outgoing.request, Request::Adopt { .. } | Request::Upgrade { .. }));
        let mut outcome = Reconciled::default();
        self.early.retain(|run, _| self.asked.contains_key(run));
        for (run, asked) in std::mem::take(&mut self.asked).into_iter().rev() {
            match asked.request {
                // It did start it, and had no time to say so: the next one says it.
                Request::Spawn(spawn) if !same_keeper && self.early.contains_key(&run) => {
                    let handed = self.early.remove(&run);
                    self.held.insert(run, Held { handed, ..Held::new(&spawn.instance, UNKNOWN) });
                }
                // It never took it in, or its answer was lost: it starts no run twice.
                _ if same_keeper => self.unsent.push_front(asked),
                // The other one may have started it before it died.
                Request::Spawn(spawn) => outcome.lost.push(Lost::unanswered(run, spawn.instance, asked.since)),
                Request::Hello { .. }
                | Request::SignalMain { .. }
                | Request::SetLogs { .. }
                | Request::CloseSockets { .. }
                | Request::Fence { .. }
                | Request::Upgrade { .. }
                | Request::Adopt { .. }
                | Request::Collected { .. }
                | Request::SignalTree { .. }
                | Request::Forget { .. }
                | Request::Shutdown => {}
            }
        }
        let gone: Vec<u64> = self.held.keys().copied().filter(|run| !there.contains(run)).collect();
        for run in gone.into_iter().rev() {
            if self.hand_on(run) {
                outcome.handed_on += 1;
            } else {
                outcome.lost.extend(self.give_up(run));
            }
        }
        if !same_keeper {
            self.fence_anew();
        }
        if self.shutting_down && !self.unsent.iter().any(|outgoing| matches!(outgoing.request, Request::Shutdown)) {
            // It was not heard, or the keeper would not be there.
            self.queue(Request::Shutdown);
        }
        outcome.lost.sort_by_key(Lost::run);
        outcome
    }

    /// Until when singletons may run: told anew to a keeper that takes them over.
    fn note_fence(&mut self, request: &Request) {
        if let Request::Spawn(spawn) = request
            && let Some(fence) = spawn.fence
        {
            self.fences.insert(spawn.instance.clone(), fence);
        }
        if let Request::Fence { instance, fence } = request {
            match fence {
                Some(fence) => self.fences.insert(instance.clone(), *fence),
                None => self.fences.remove(instance),
            };
        }
    }

    fn fence_anew(&mut self) {
        let held = |instance: &str| self.held.values().any(|held| *held.instance == *instance);
        let mut fences = std::mem::take(&mut self.fences);
        fences.retain(|instance, _| held(instance));
        for (instance, fence) in fences {
            self.queue(Request::Fence { instance, fence: Some(fence) });
        }
    }

    /// Asks the new keeper to take a run over, before anything else is asked
    /// of it; false when that is not possible.
    fn hand_on(&mut self, run: u64) -> bool {
        let Some(held) = self.held.get(&run) else { return false };
        // Without descriptors its output would be lost, and it with it.
        let handed = held.handed.as_deref().filter(|handed| !handed.descriptors.is_empty());
        let Some(handed) = handed.filter(|_| self.version >= 2) else {
            let was_handed = held.handed.is_some();
            tracing::warn!(run, instance = %held.instance, was_handed, version = self.version, "a run cannot be handed on");
            return false;
        };
        let adopt = Request::Adopt { run, state: handed.state.clone(), ending: held.ending.as_deref().cloned() };
        let mut bytes = Vec::new();
        if frame::encode_with(&adopt, handed.descriptors.len(), &mut bytes).is_err() {
            return false;
        }
        let collected = held.collected.as_deref().cloned();
        if let Some(status) = collected {
            let request = Request::Collected { run, status };
            let mut bytes = Vec::new();
            if frame::encode(&request, &mut bytes).is_ok() {
                self.unsent.push_front(Outgoing { request, bytes, since: ticks_since_boot() });
            }
        }
        self.unsent.push_front(Outgoing { request: adopt, bytes, since: ticks_since_boot() });
        true
    }
}

/// Stands for a main process that only the keeper's state names.
const UNKNOWN: MainProcess = MainProcess { pid: u32::MAX, start_time: 0 };

impl Held {
    fn new(instance: &str, main: MainProcess) -> Self {
        Self { instance: instance.into(), main, handed: None, ending: None, collected: None }
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
