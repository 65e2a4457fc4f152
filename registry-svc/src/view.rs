//! What everybody reads: the state as of the last applied entry, the feed of
//! what happened, and a signal for each node whose orders have changed. Written
//! by the machine only.

use crate::machine::feed::Feed;
use crate::machine::{OrderSignal, OrderSignals};
use process_model::{Event, NodeName};
use registry_consensus::Applied;
use registry_domain::State;
use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// State and position, always of the same moment.
#[derive(Debug, Default)]
pub struct Replicated {
    /// The state.
    pub state: State,
    /// The last entry that it reflects, and the members as of there.
    pub applied: Applied,
}

/// What is replicated, shared.
#[derive(Debug)]
pub struct View {
    replicated: RwLock<Replicated>,
    feed: Arc<Feed>,
    orders: OrderSignals,
}

/// What a change led to, for those who wait.
#[derive(Debug, Default)]
pub(crate) struct Changed {
    /// Nodes that have something else to do than before.
    pub(crate) orders: BTreeSet<NodeName>,
    /// What happened, in the order of revisions.
    pub(crate) events: Vec<Arc<Event>>,
}

impl View {
    /// A view that begins with this.
    #[must_use]
    pub fn new(replicated: Replicated) -> Self {
        let feed = Arc::new(Feed::new(&replicated.state));
        Self { replicated: RwLock::new(replicated), feed, orders: OrderSignals::default() }
    }

    /// State and position, for a moment: no await, no I/O while it is held.
    pub fn read(&self) -> RwLockReadGuard<'_, Replicated> {
        // `step` does not panic, and after a panic the process ends anyway;
        // see `is_half_changed`.
        self.replicated.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a command panicked in the middle. What is shown since must not
    /// reach the disk.
    pub(crate) fn is_half_changed(&self) -> bool {
        self.replicated.is_poisoned()
    }

    /// Changes the state, then wakes those whom it concerns.
    pub(crate) fn change<T, E>(&self, change: impl FnOnce(&mut Replicated) -> Result<(T, Changed), E>) -> Result<T, E> {
        let (result, changed, oldest) = {
            let mut replicated = self.replicated.write().unwrap_or_else(PoisonError::into_inner);
            let (result, changed) = change(&mut replicated)?;
            (result, changed, replicated.state.oldest_revision())
        };
        self.feed.publish(changed.events, oldest);
        self.orders.tell(&changed.orders);
        Ok(result)
    }

    /// Puts another state in the place of the one before; `meanwhile` runs
    /// while nobody reads.
    pub(crate) fn replace(&self, state: State, applied: Applied, meanwhile: impl FnOnce()) {
        let before = {
            let mut replicated = self.replicated.write().unwrap_or_else(PoisonError::into_inner);
            meanwhile();
            let before = std::mem::replace(&mut *replicated, Replicated { state, applied });
            self.feed.restart(&replicated.state);
            before
        };
        self.orders.tell_all();
        // Only now, as it takes a while.
        drop(before);
    }

    /// What happened lately, and the signal of what happens.
    #[must_use]
    pub fn feed(&self) -> &Arc<Feed> {
        &self.feed
    }

    /// A signal whenever this node may have something else to do.
    #[must_use]
    pub fn orders(&self, node: &NodeName) -> OrderSignal {
        self.orders.listen(node)
    }
}
