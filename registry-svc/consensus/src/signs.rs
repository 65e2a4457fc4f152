//! What the hot paths leave for the elections: a few numbers that are written
//! with every message and read a few times a second, so that a message costs
//! no wake-up of anybody.

use registry_quorum::{Millis, ReplicaId, Voters};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;
use tokio::time::Instant;

/// Signs of life, in both directions.
pub(crate) struct Signs {
    began: Instant,
    seen: Mutex<Seen>,
    suspended: AtomicBool,
    /// Somebody waits to hear of the leader, so it is told at once.
    doubting: AtomicBool,
    pub(crate) heard: Notify,
}

/// A message of a leader that the library took.
#[derive(Clone, Copy)]
pub(crate) struct Heard {
    pub(crate) from: ReplicaId,
    pub(crate) term: u64,
    pub(crate) at: Millis,
}

#[derive(Default)]
struct Seen {
    /// The last of them since it was taken.
    leader: Option<Heard>,
    /// Leading: when the last message was sent that each peer acknowledged.
    acked: BTreeMap<ReplicaId, Millis>,
}

impl Signs {
    pub(crate) fn new() -> Self {
        Self {
            began: Instant::now(),
            seen: Mutex::default(),
            suspended: AtomicBool::new(false),
            doubting: AtomicBool::new(false),
            heard: Notify::new(),
        }
    }

    /// This moment on this replica's monotonic clock.
    pub(crate) fn now(&self) -> Millis {
        Millis(u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX))
    }

    /// The moment of a time on that clock.
    pub(crate) fn instant(&self, at: Millis) -> Instant {
        self.began + std::time::Duration::from_millis(at.0)
    }

    pub(crate) fn heard(&self, from: ReplicaId, term: u64) {
        let at = self.now();
        self.seen().leader = Some(Heard { from, term, at });
        if self.doubting.load(Ordering::Relaxed) {
            self.heard.notify_one();
        }
    }

    /// The leader that was heard since this was last asked.
    pub(crate) fn take_heard(&self) -> Option<Heard> {
        self.seen().leader.take()
    }

    pub(crate) fn set_doubting(&self, doubting: bool) {
        self.doubting.store(doubting, Ordering::Relaxed);
    }

    pub(crate) fn acked(&self, by: ReplicaId, sent: Millis) {
        let mut seen = self.seen();
        let last = seen.acked.entry(by).or_default();
        *last = sent.max(*last);
    }

    /// These in the order in which they are likely to answer: whoever acknowledged the latest message first.
    pub(crate) fn by_last_ack(&self, peers: impl Iterator<Item = ReplicaId>) -> Vec<ReplicaId> {
        let mut peers: Vec<ReplicaId> = peers.collect();
        let seen = self.seen();
        peers.sort_by_key(|id| std::cmp::Reverse(seen.acked.get(id)));
        peers
    }

    /// Leading: how long ago the last message was sent that each peer acknowledged.
    pub(crate) fn silent(&self) -> BTreeMap<ReplicaId, std::time::Duration> {
        let now = self.now();
        let since = |sent: &Millis| std::time::Duration::from_millis(now.0.saturating_sub(sent.0));
        self.seen().acked.iter().map(|(id, sent)| (*id, since(sent))).collect()
    }

    /// The latest moment such that a majority acknowledged what was sent then or later.
    pub(crate) fn quorum_acked(&self, me: ReplicaId, voters: &Voters) -> Option<Millis> {
        let seen = self.seen();
        let mut moments: Vec<Millis> = seen.acked.values().copied().collect();
        moments.sort_unstable();
        let reaches =
            |at: &Millis| voters.majority(|id| id == me || seen.acked.get(&id).is_some_and(|sent| sent >= at));
        moments.into_iter().rev().find(reaches)
    }

    /// What was acknowledged to an earlier leadership says nothing of this one.
    pub(crate) fn forget_acks(&self) {
        self.seen().acked.clear();
    }

    pub(crate) fn suspend(&self, suspended: bool) {
        self.suspended.store(suspended, Ordering::Release);
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.suspended.load(Ordering::Acquire)
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
