//! What all members of a crowd have seen, together, and the wait for it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// What the members of a crowd have seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Members that have a session now.
    pub connected: usize,
    /// Sessions that began.
    pub welcomed: usize,
    /// Times that somebody was told to come again later.
    pub sent_away: usize,
    /// Sessions that ended because the registry had declared the node lost.
    pub told_lost: usize,
    /// Instances that a member was told to run, each copy once.
    pub assigned: usize,
    /// Reports of instances that the registry has acknowledged.
    pub reported: usize,
}

/// All of it, shared by the members.
#[derive(Default)]
pub(super) struct Tally {
    counts: watch::Sender<Counts>,
    welcomes: Mutex<Vec<Instant>>,
    heartbeats: AtomicU64,
}

impl Tally {
    /// A member has seen something.
    pub(super) fn note(&self, seen: impl FnOnce(&mut Counts)) {
        self.counts.send_modify(seen);
    }

    /// A session began.
    pub(super) fn welcomed(&self) {
        self.welcomes.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
        self.note(|counts| (counts.connected, counts.welcomed) = (counts.connected + 1, counts.welcomed + 1));
    }

    /// A heartbeat was answered. Apart from the rest: it wakes nobody.
    pub(super) fn beat(&self) {
        self.heartbeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn counts(&self) -> Counts {
        *self.counts.borrow()
    }

    pub(super) fn heartbeats(&self) -> u64 {
        self.heartbeats.load(Ordering::Relaxed)
    }

    /// Waits until it holds; returns when that was.
    pub(super) async fn until(&self, holds: impl FnMut(&Counts) -> bool) -> Instant {
        let waited = self.counts.subscribe().wait_for(holds).await.map(drop);
        waited.expect("whoever counts is there");
        Instant::now()
    }

    pub(super) fn welcomes_since(&self, moment: Instant) -> Vec<Duration> {
        let welcomes = self.welcomes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut since: Vec<Duration> = welcomes.iter().filter_map(|at| at.checked_duration_since(moment)).collect();
        since.sort_unstable();
        since
    }
}
