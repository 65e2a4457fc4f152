//! Sees everything that leaves a replica or becomes visible in it, and says
//! what must not be. It knows nothing of the library, only of the promises:
//!
//! | promise | seen where |
//! |---|---|
//! | one leader a term | every append that is sent |
//! | a committed entry never changes, and is applied in order, once a life | every machine (`applied`) |
//! | what is acknowledged is in the state of whoever acknowledged it, and of whoever reads later, once | clients (`words`) |
//! | what leaves is durable first: answers, votes, the commit position | every message (`edges`) |
//! | no term is raised without a majority that suspects, or the leader's wish | every request for a vote (`terms`) |
//! | a promise on a disk is never taken back | every disk |
//!
//! The first violation counts: it is kept with the story that led to it.

mod applied;
mod edges;
mod story;
mod terms;
mod words;

pub(crate) use edges::Asked;

use registry_consensus::{Position, Standing};
use registry_quorum::elections::Timing;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use story::Story;
use tokio::sync::watch;
use tokio::time::Instant;

/// The judge; clones share it.
#[derive(Clone)]
pub(crate) struct Oracle(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    story: Story,
    violation: Option<String>,
    counts: BTreeMap<&'static str, u64>,
    /// By index: term and digest of what was applied there, by whomever.
    committed: BTreeMap<u64, (u64, u64)>,
    /// By life: the last index that it applied.
    reached: BTreeMap<(u64, u64), u64>,
    /// By term: the replica, and its life.
    leaders: BTreeMap<u64, (u64, u64)>,
    /// By replica: up to where its durable snapshots reach.
    snapshots: BTreeMap<u64, u64>,
    acked: BTreeSet<u64>,
    /// By candidate and the term that it was in: who said yes, and when it was asked.
    grants: BTreeMap<(u64, u64), BTreeMap<u64, Instant>>,
    /// Candidates whose leader asked them to take over.
    wishes: BTreeSet<(u64, u64)>,
    standings: BTreeMap<u64, (watch::Receiver<Standing>, Timing)>,
    over: bool,
}

impl Oracle {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(State { story: Story::new(), ..State::default() })))
    }

    /// A line of the story.
    pub(crate) fn note(&self, line: impl FnOnce() -> String) {
        self.lock().story.tell(line);
    }

    /// Something that is not worth a line, but has to be the same when the seed is run again.
    pub(crate) fn mix(&self, what: u64) {
        self.lock().story.mix(what);
    }

    /// A fault, or something else that a set of seeds has to have seen, happened.
    pub(crate) fn count(&self, kind: &'static str) {
        *self.lock().counts.entry(kind).or_default() += 1;
    }

    pub(crate) fn counts(&self) -> BTreeMap<&'static str, u64> {
        self.lock().counts.clone()
    }

    /// Who leads a term, as far as anything was sent in it.
    pub(crate) fn leader_of(&self, term: u64) -> Option<u64> {
        self.lock().leaders.get(&term).map(|(id, _)| *id)
    }

    /// A promise is broken.
    pub(crate) fn violated(&self, what: String) {
        self.lock().violated(what);
    }

    /// Ends the test when a promise is broken.
    pub(crate) fn check(&self) {
        let state = self.lock();
        if let Some(violation) = &state.violation {
            let (violation, story) = (violation.clone(), state.story.text());
            drop(state);
            eprintln!("{story}");
            panic!("VIOLATED: {violation}");
        }
    }

    /// There are no faults any more, and clients stop.
    pub(crate) fn finish(&self) {
        self.lock().over = true;
    }

    pub(crate) fn is_over(&self) -> bool {
        self.lock().over
    }

    /// The story so far; equal when a seed is run again. Also told when somebody who panicked holds it.
    pub(crate) fn story(&self) -> String {
        self.0.try_lock().map(|state| state.story.text()).unwrap_or_default()
    }

    /// A number that is equal when everything was, message by message.
    pub(crate) fn digest(&self) -> u64 {
        self.lock().story.digest()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl State {
    fn violated(&mut self, what: String) {
        self.story.tell(|| format!("VIOLATED: {what}"));
        self.violation.get_or_insert(what);
    }
}

fn pair(at: Position) -> (u64, u64) {
    (at.term, at.index)
}
