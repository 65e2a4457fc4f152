//! The keeper's loop on its side of the scribe: asks it, and never waits long
//! for an answer. Who waits in vain goes on without: a program is started,
//! stopped and collected while the disk under its log hangs.

use super::ask::{Ask, Key, States};
use super::outlet::Outlet;
use super::pulse::Beat;
use super::scribe::{Scribe, Shared};
use super::state::OutputState;
use crate::diary;
use crate::protocol::SpawnRequest;
use process_model::spec::LogPolicy;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// How long the loop waits for a scribe that does not get on.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long it waits in one turn for one that does: its disk is slow, and there is more to do than to wait for it.
const MOST: Duration = Duration::from_secs(3);

/// The same for what it only wants to hand on, which may come later.
const TO_HAND: Duration = Duration::from_millis(100);

/// A disk that does not take a write for so long hangs: from then on output is dropped instead of waiting.
pub(super) const HANGS: Duration = Duration::from_secs(10);

/// What the thread calls is not deep.
const STACK: usize = 256 * 1024;

/// The way to the scribe.
pub(crate) struct Desk {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
    /// How long the loop has waited in this turn.
    waited: Duration,
    /// It did not answer in time, and was here then.
    late: Option<Beat>,
    /// Where it was at the last look, and since when.
    stuck: Option<(Beat, Instant)>,
    /// The loop reads in its stead.
    pub(super) in_stead: bool,
}

impl Desk {
    /// Starts the scribe.
    pub(crate) fn open() -> io::Result<Self> {
        let shared = Arc::new(Shared::new()?);
        let thread = start(&shared)?;
        Ok(Self { shared, thread: Some(thread), waited: Duration::ZERO, late: None, stuck: None, in_stead: false })
    }

    /// Ready when there is something to hear.
    pub(crate) fn news(&self) -> BorrowedFd<'_> {
        self.shared.news.as_fd()
    }

    /// Ready when the scribe has been at work for a while.
    pub(crate) fn pulse(&self) -> BorrowedFd<'_> {
        self.shared.pulse.as_fd()
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Opens the files of a run; waits for whether that is possible unless they
    /// are `known`, because a run before it had them open. A disk that does not
    /// answer is no reason not to start.
    pub(crate) fn open_outputs(&mut self, run: u64, outlets: &[Option<Outlet>; 2], known: bool) -> io::Result<()> {
        let key = |index| Key { run, index };
        let opened = outlets.iter().enumerate().filter_map(|(index, outlet)| Some((index, outlet.as_ref()?)));
        let outputs = opened.map(|(index, outlet)| (key(index), outlet.wire.clone(), outlet.path.clone())).collect();
        let ask = |opened| Ask::Open { outputs, opened };
        if known {
            let (nobody, _) = sync_channel(1);
            self.shared.ask(ask(nobody));
            return Ok(());
        }
        self.answer(ask).unwrap_or(Ok(()))
    }

    /// The program of `request` runs; `stream` is `stdout`, `stderr`, or
    /// `output` when it is both.
    pub(crate) fn begin(&self, request: &SpawnRequest, index: usize, outlet: &mut Outlet, stream: &str, pid: u32) {
        let state = OutputState::fresh(request, &outlet.path, stream, pid);
        outlet.keep_by(state.policy.as_ref());
        let key = Key { run: request.run, index };
        self.shared.ask(Ask::Begin { key, policy: state.policy.clone(), json: state.json.clone().map(Box::new) });
        outlet.fresh = Some(Box::new(state));
    }

    /// Goes on with an output where another process was.
    pub(crate) fn restore(&self, run: u64, index: usize, outlet: &mut Outlet, state: OutputState) {
        outlet.keep_by(state.policy.as_ref());
        outlet.lost = state.lost;
        outlet.wire.set_busy(!state.held.is_empty());
        let (key, wire) = (Key { run, index }, outlet.wire.clone());
        self.shared.ask(Ask::Restore { key, wire, state: Box::new(state) });
    }

    /// Everything that a run has written is in its files afterwards, if the disk answers.
    pub(super) fn drain(&mut self, run: u64) {
        // Whether it is done or not: there is nothing to be done about it.
        let _ = self.gets_on().then(|| self.answer(|done| Ask::Drain { run, done }));
    }

    pub(super) fn keep_by(&self, key: Key, policy: LogPolicy) {
        self.shared.ask(Ask::KeepBy { key, policy });
    }

    /// Where the outputs of a run are; `None`: the disk does not answer.
    pub(crate) fn states(&mut self, run: u64) -> Option<States> {
        // Not even asked: nothing would be done about the answer.
        if !self.gets_on() {
            return None;
        }
        let (answer, answered) = sync_channel(1);
        self.shared.ask(Ask::Tell { run, states: answer });
        self.wait(&answered, TO_HAND)
    }

    /// Nothing more comes of a run.
    pub(crate) fn close(&self, run: u64) {
        self.shared.ask(Ask::Close { run });
    }

    /// Ends the scribe without finishing anything, and takes everything from
    /// it; `None`: the disk does not answer, and it goes on.
    pub(crate) fn take_all(&mut self) -> Option<States> {
        self.begin_turn();
        let waits = Arc::new(AtomicBool::new(true));
        let (states, given) = sync_channel(1);
        self.shared.ask(Ask::Give { states, waits: waits.clone() });
        // Whoever is first decides: the scribe, who gives, or the loop, which does not wait any more.
        let states = match self.wait(&given, MOST) {
            None if waits.swap(false, Ordering::AcqRel) => None,
            None => given.recv().ok(),
            given => given,
        }?;
        diary::directly();
        self.join();
        Some(states)
    }

    /// Goes on after everything was taken.
    pub(crate) fn go_on(&mut self) {
        match start(&self.shared) {
            Ok(thread) => self.thread = Some(thread),
            Err(e) => {
                // As when it waits in vain: another keeper does better.
                diary::write(rustix::stdio::stderr(), format_args!("nobody writes the logs any more: {e}"));
                std::process::exit(1);
            }
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            // It has caught its own panics.
            let _ = thread.join();
        }
    }

    /// Asks, and waits for the answer: not at all while the scribe stands where it did not answer before.
    fn answer<T>(&mut self, ask: impl FnOnce(SyncSender<T>) -> Ask) -> Option<T> {
        let (answer, answered) = sync_channel(1);
        self.shared.ask(ask(answer));
        self.wait(&answered, MOST)
    }

    /// Waits until it has waited `most` in this turn, in all.
    fn wait<T>(&mut self, answered: &Receiver<T>, most: Duration) -> Option<T> {
        let mut at = self.shared.pulse.look();
        if !self.gets_on() || self.waited >= most {
            // Answered already, perhaps.
            return answered.try_recv().ok();
        }
        loop {
            let began = Instant::now();
            let patience = PATIENCE.min(most.saturating_sub(self.waited));
            let outcome = answered.recv_timeout(patience);
            self.waited += began.elapsed();
            match outcome {
                Ok(answer) => return Some(answer),
                Err(RecvTimeoutError::Disconnected) => return None,
                Err(RecvTimeoutError::Timeout) => {}
            }
            let now = self.shared.pulse.look();
            if now == at && patience == PATIENCE {
                // One that is idle has yet to hear of it; it stands nowhere.
                self.late = (now != Beat::Idle).then_some(now);
                return None;
            }
            if self.waited >= most {
                return None;
            }
            at = now;
        }
    }

    /// A turn of the loop begins.
    pub(crate) fn begin_turn(&mut self) {
        self.waited = Duration::ZERO;
    }

    /// Whether there is something left of what a turn may wait in order to hand on.
    pub(crate) fn has_time_to_hand(&self) -> bool {
        self.waited < TO_HAND
    }

    /// Whether the scribe is elsewhere than where it did not answer.
    pub(crate) fn gets_on(&mut self) -> bool {
        if self.late.is_some_and(|at| at != self.shared.pulse.look()) {
            self.late = None;
        }
        self.late.is_none()
    }

    /// The pulse's timer fired: whether the scribe has hung for so long that
    /// somebody has to read in its stead.
    pub(super) fn hangs(&mut self) -> bool {
        let at = self.shared.pulse.fired();
        match self.stuck {
            Some((where_, since)) if where_ == at && at != Beat::Idle => since.elapsed() >= HANGS,
            _ => {
                self.stuck = Some((at, Instant::now()));
                false
            }
        }
    }
}

/// Finishes everything, if the disk answers.
impl Drop for Desk {
    fn drop(&mut self) {
        diary::directly();
        let (done, finished) = sync_channel(1);
        self.shared.ask(Ask::End { done });
        // There is nothing else to do any more: however slow it is, as long as it gets on.
        while self.thread.as_ref().is_some_and(|thread| !thread.is_finished()) {
            self.begin_turn();
            if self.wait(&finished, MOST).is_some() {
                self.join();
            } else if !self.gets_on() {
                return;
            }
        }
    }
}

fn start(shared: &Arc<Shared>) -> io::Result<JoinHandle<()>> {
    let scribe = Scribe::new(shared.clone())?;
    let run = move || {
        // Without it nothing would be written any more, and nobody would know: another keeper does better.
        if std::panic::catch_unwind(AssertUnwindSafe(|| scribe.run())).is_err() {
            std::process::exit(101);
        }
    };
    let thread = std::thread::Builder::new().name("scribe".to_owned()).stack_size(STACK).spawn(run)?;
    let through = Arc::downgrade(shared);
    diary::through(Box::new(move |line| through.upgrade().map(|shared| shared.say(line)).is_some()));
    Ok(thread)
}

#[cfg(test)]
#[path = "desk_tests.rs"]
mod tests;
