//! Relays of logs: readers on one side, runners on the other.
//!
//! A *read* is one client's call. It has one *tail* per instance: a request in
//! the session of the node that has the instance. In: reads that open, chunks
//! and ends from runners, chunks that a client took, clients and sessions that
//! go away. Out: [`Effect`]s, and what a session has to tell its runner
//! ([`Tails::next_for`]).
//!
//! ```text
//!            request taken            both outputs ended, or its session did
//!  queued ─────────────────▶ asked ─────────────────────────────────────────▶ gone
//!    │ client gone             │ client gone, or the runner broke its word
//!    ▼                         ▼                 cancel taken
//!   gone                   cancelling ──────────────────────▶ gone
//! ```
//!
//! **Credit.** A runner may send only as many bytes as it was given. Each byte
//! of a tail's window is in one of three places: with the runner (it may still
//! send it), buffered for the client, or owed to the runner (the client took
//! it). So a client that does not read holds at most its window, stops only
//! its own tails, and costs neither other readers nor the runner's samples
//! anything.
//!
//! What is to be told to a runner is derived from the tails when the session
//! is ready to send, not queued: a slow session holds one entry per tail,
//! however much happened meanwhile.

mod message;
mod output;
mod tail;

pub use message::{Effect, ToRunner, TooManyReads};
pub use output::{Output, Outputs};
pub use tail::{Picked, Wish};

use crate::SessionId;
use process_model::InstanceId;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use tail::{Stage, Tail};

/// One client's call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReadId(pub u64);

/// A tail's name: a request of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TailId {
    /// The session.
    pub session: SessionId,
    /// The request's number, used once.
    pub request: u64,
}

/// Reads at a time. Each may hold [`READ_BUDGET`], so this bounds the memory
/// of all relays; far more than people and dashboards have open at once.
pub const MAX_READS: usize = 128;

/// Bytes that all tails of a read may hold together: enough for a full pipe
/// to a runner 20 ms away at 50 MB/s.
pub const READ_BUDGET: u64 = 1 << 20;

/// A single tail's window: at least two chunks of a usual size, so that one
/// travels while one is read; at most what makes a difference.
const WINDOW: (u64, u64) = (8 << 10, 256 << 10);

/// All relays.
#[derive(Debug, Default)]
pub struct Tails {
    tails: BTreeMap<TailId, Tail>,
    /// The tails of each read that have not ended.
    reads: BTreeMap<ReadId, BTreeSet<TailId>>,
    /// Tails with something to tell their runner; each is in here once.
    pending: BTreeMap<SessionId, VecDeque<u64>>,
    requests: u64,
}

impl Tails {
    /// A client wants the logs of these instances. `read` was not used before.
    ///
    /// # Errors
    /// [`MAX_READS`] are open.
    pub fn opened(
        &mut self,
        read: ReadId,
        wish: Wish,
        targets: impl IntoIterator<Item = (InstanceId, SessionId)>,
    ) -> Result<Vec<Effect>, TooManyReads> {
        if self.reads.len() >= MAX_READS {
            return Err(TooManyReads);
        }
        let targets: Vec<_> = targets.into_iter().collect();
        if targets.is_empty() {
            return Ok(vec![Effect::Finish { read }]);
        }
        let share = READ_BUDGET / u64::try_from(targets.len()).unwrap_or(u64::MAX);
        let window = share.clamp(WINDOW.0, WINDOW.1);
        let mut effects = Vec::new();
        for (instance, session) in targets {
            self.requests += 1;
            let id = TailId { session, request: self.requests };
            self.tails.insert(id, Tail::new(read, instance, wish.clone(), window));
            self.reads.entry(read).or_default().insert(id);
            self.tell(id, &mut effects);
        }
        Ok(effects)
    }

    /// A runner sent bytes of a log. The caller hands them to the read of
    /// [`Effect::Deliver`]; without that effect they are dropped.
    pub fn chunk_arrived(&mut self, id: TailId, instance: &InstanceId, output: Output, bytes: u64) -> Vec<Effect> {
        let Some(tail) = self.tails.get_mut(&id) else {
            // On its way when the tail ended: of no use to anybody.
            return Vec::new();
        };
        match tail.stage {
            // The cancel is on its way; or the runner answers what it was not
            // asked yet, which can only be nonsense.
            Stage::Cancelling | Stage::Queued => Vec::new(),
            Stage::Asked { .. } if bytes == 0 => Vec::new(),
            Stage::Asked { ref mut credit, .. } => {
                if *instance != tail.instance || !tail.open.has(output) {
                    return self.broke_its_word(id, "its node sent something else than what was asked for");
                }
                let Some(left) = credit.checked_sub(bytes) else {
                    return self.broke_its_word(id, "its node sent more than it was allowed to");
                };
                *credit = left;
                vec![Effect::Deliver { read: tail.read }]
            }
        }
    }

    /// A runner ended one output of a tail, or with `None` all of it. An empty
    /// `error` says that it was read to its end.
    pub fn end_arrived(&mut self, id: TailId, output: Option<Output>, error: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        if self.tails.get(&id).is_some_and(|tail| matches!(tail.stage, Stage::Asked { .. })) {
            self.end(id, output.map_or(Outputs::BOTH, Outputs::only), error, &mut effects);
        }
        effects
    }

    /// A client took bytes of a tail out of its buffer.
    pub fn consumed(&mut self, id: TailId, bytes: u64) -> Vec<Effect> {
        let mut effects = Vec::new();
        if let Some(tail) = self.tails.get_mut(&id)
            && let Stage::Asked { ref mut owed, .. } = tail.stage
        {
            *owed += bytes;
            // Not for every chunk: half a window at a time keeps a runner
            // sending and costs two messages per window.
            if *owed >= tail.window / 2 {
                self.tell(id, &mut effects);
            }
        }
        effects
    }

    /// A client went away, or its call is over.
    pub fn reader_gone(&mut self, read: ReadId) -> Vec<Effect> {
        let mut effects = Vec::new();
        for id in self.reads.remove(&read).unwrap_or_default() {
            self.cancel(id, &mut effects);
        }
        effects
    }

    /// A session ended: so did all its tails, for this reason.
    pub fn session_ended(&mut self, session: SessionId, why: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        let first = TailId { session, request: 0 };
        let last = TailId { session, request: u64::MAX };
        let ids: Vec<TailId> = self.tails.range(first..=last).map(|(id, _)| *id).collect();
        for id in ids {
            self.end(id, Outputs::BOTH, why, &mut effects);
            self.tails.remove(&id);
        }
        self.pending.remove(&session);
        effects
    }

    /// The next thing that a session has to tell its runner.
    pub fn next_for(&mut self, session: SessionId) -> Option<ToRunner> {
        loop {
            let request = self.pending.get_mut(&session)?.pop_front();
            let Some(request) = request else {
                self.pending.remove(&session);
                return None;
            };
            let id = TailId { session, request };
            // Gone since: the client left before its request was taken.
            let Some(tail) = self.tails.get_mut(&id) else { continue };
            tail.told = true;
            match tail.stage {
                Stage::Queued => {
                    tail.stage = Stage::Asked { credit: tail.window, owed: 0 };
                    let (instance, wish) = (tail.instance.clone(), tail.wish.clone());
                    return Some(ToRunner::Request { request, instance, wish, credit: tail.window });
                }
                Stage::Asked { ref mut credit, ref mut owed } => {
                    let bytes = std::mem::take(owed);
                    *credit += bytes;
                    return Some(ToRunner::Credit { request, bytes });
                }
                Stage::Cancelling => {
                    self.tails.remove(&id);
                    return Some(ToRunner::Cancel { request });
                }
            }
        }
    }

    /// Reads that are open.
    #[must_use]
    pub fn reads(&self) -> usize {
        self.reads.len()
    }

    /// Tails that are open or being cancelled.
    #[must_use]
    pub fn tails(&self) -> usize {
        self.tails.len()
    }

    fn tell(&mut self, id: TailId, effects: &mut Vec<Effect>) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        if std::mem::take(&mut tail.told) {
            self.pending.entry(id.session).or_default().push_back(id.request);
            effects.push(Effect::Wake { session: id.session });
        }
    }

    fn end(&mut self, id: TailId, which: Outputs, error: &str, effects: &mut Vec<Effect>) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        let (read, instance) = (tail.read, tail.instance.clone());
        // A cancelled tail has no reader that an end could be for.
        if matches!(tail.stage, Stage::Cancelling) {
            return;
        }
        for output in tail.open.and(which).iter() {
            let (instance, error) = (instance.clone(), error.to_owned());
            effects.push(Effect::End { read, instance, output, error });
        }
        tail.open = tail.open.without(which);
        if tail.open.is_empty() {
            self.tails.remove(&id);
            self.leave(read, id, effects);
        }
    }

    fn leave(&mut self, read: ReadId, id: TailId, effects: &mut Vec<Effect>) {
        let Some(tails) = self.reads.get_mut(&read) else { return };
        tails.remove(&id);
        if tails.is_empty() {
            self.reads.remove(&read);
            effects.push(Effect::Finish { read });
        }
    }

    fn cancel(&mut self, id: TailId, effects: &mut Vec<Effect>) {
        let Some(tail) = self.tails.get_mut(&id) else { return };
        match tail.stage {
            // The runner never heard of it.
            Stage::Queued => {
                self.tails.remove(&id);
            }
            Stage::Asked { .. } => {
                tail.stage = Stage::Cancelling;
                self.tell(id, effects);
            }
            // A tail belongs to one read, which goes once.
            Stage::Cancelling => {}
        }
    }

    fn broke_its_word(&mut self, id: TailId, how: &str) -> Vec<Effect> {
        let mut effects = Vec::new();
        let Some(tail) = self.tails.get_mut(&id) else { return effects };
        let (read, instance) = (tail.read, tail.instance.clone());
        for output in tail.open.iter() {
            let (instance, error) = (instance.clone(), how.to_owned());
            effects.push(Effect::End { read, instance, output, error });
        }
        tail.open = Outputs::NONE;
        self.cancel(id, &mut effects);
        self.leave(read, id, &mut effects);
        effects
    }
}

#[cfg(test)]
mod tests;
