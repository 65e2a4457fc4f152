//! The feed: the newest events outside of the state's lock, and who is to be
//! woken for which.
//!
//! ```text
//! machine ─events─▶ Ring ──────────────────────────▶ watchers, each at its own pace
//!             └─▶ route: whose? ─▶ Bells ─ring─▶ only those that have to look
//! ```
//! The machine only appends and goes on: however many watch, it pays for none
//! of them. One task does the telling, a few watchers at a time, and rests
//! after it in proportion to how many they were. So calls get their turn
//! between, and thousands of watchers of everything are told several events at
//! once where one each would take the processors from those who write.

mod bells;
mod interest;
mod ring;
mod told;

pub use bells::Listener;
pub use interest::{Interest, Subject};
pub use ring::Since;
pub use told::Told;

use bells::Bells;
use prometheus_client::metrics::counter::Counter;
use registry_domain::State;
use ring::Ring;
use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// Events that are told at once at most: the ring is held for that long.
const CHUNK: usize = 128;
/// Watchers woken before others get their turn.
const SLICE: usize = 32;
/// What telling one watcher takes, about; so telling leaves half of a
/// processor alone.
const EACH: Duration = Duration::from_micros(20);
/// Shortest rest after telling somebody; nobody waits for it when it was quiet
/// before.
const REST: Duration = Duration::from_millis(2);

/// The newest events, and who waits for them.
#[derive(Debug, Default)]
pub struct Feed {
    ring: RwLock<Ring>,
    bells: Bells,
    news: Notify,
    /// Up to here everybody has been told.
    routed: AtomicU64,
    /// How often a watcher was woken.
    pub(crate) woken: Counter,
    /// Events that were encoded: once for all watchers.
    pub(crate) encoded: Counter,
}

impl Feed {
    /// A feed that begins with what a state has.
    pub(crate) fn new(state: &State) -> Self {
        let feed = Self::default();
        feed.ring.write().unwrap_or_else(PoisonError::into_inner).start(state);
        feed.routed.store(state.revision(), Ordering::Release);
        feed
    }

    /// These happened; `oldest`: what is older is no longer kept.
    pub(crate) fn publish(&self, events: Vec<Arc<process_model::Event>>, oldest: u64) {
        if events.is_empty() {
            return;
        }
        self.ring.write().unwrap_or_else(PoisonError::into_inner).extend(events, oldest);
        self.news.notify_one();
    }

    /// Another state took the place of the one before.
    pub(crate) fn restart(&self, state: &State) {
        self.ring.write().unwrap_or_else(PoisonError::into_inner).start(state);
        self.news.notify_one();
    }

    /// The first events from a revision on.
    #[must_use]
    pub fn since(&self, next: u64, most: usize) -> Since {
        self.ring.read().unwrap_or_else(PoisonError::into_inner).since(next, most)
    }

    /// Listens. Of what is published from now on nothing is missed; what was
    /// before has to be looked up.
    #[must_use]
    pub fn listen(self: &Arc<Self>, interest: &Interest) -> Listener {
        Listener::new(self.clone(), interest)
    }

    /// How many listen.
    #[must_use]
    pub fn listeners(&self) -> usize {
        self.bells.count()
    }

    /// Who has not been rung since has missed nothing up to this revision.
    #[must_use]
    pub fn routed(&self) -> u64 {
        self.routed.load(Ordering::Acquire)
    }

    /// Wakes those whom events concern, for ever.
    pub async fn route(&self) -> Infallible {
        loop {
            self.news.notified().await;
            let (began, mut woken) = (Instant::now(), 0);
            while let Some(more) = self.round().await {
                woken += more;
            }
            if woken > 0 {
                // Where telling takes longer than thought, by the clock: those who are told run in between.
                let each = EACH * u32::try_from(woken).unwrap_or(u32::MAX);
                tokio::time::sleep(REST.max(each).max(began.elapsed())).await;
            }
        }
    }

    /// One chunk; how many were woken for it. `None`: there is none.
    async fn round(&self) -> Option<usize> {
        let from = self.routed() + 1;
        let (bells, last) = match self.since(from, CHUNK) {
            Since::Nothing => return None,
            Since::Events(told) => {
                let last = told.last()?.event.revision;
                (self.bells.of(&told), last)
            }
            // A state that is further, or more events at once than are kept here: everybody has to look.
            Since::Older { newest } => (self.bells.all(from), newest),
        };
        let mut woken = 0;
        for slice in bells.chunks(SLICE) {
            woken += slice.iter().filter(|(bell, revision)| bell.ring(*revision)).count();
            tokio::task::yield_now().await;
        }
        self.woken.inc_by(woken as u64);
        self.routed.store(last, Ordering::Release);
        Some(woken)
    }
}

#[cfg(test)]
mod tests;
