//! What everybody reads: the state as of the last applied entry, a signal when
//! it has changed, and one for each node whose orders have. Written by the
//! machine only.

use crate::machine::{OrderSignal, OrderSignals};
use process_model::NodeName;
use registry_consensus::Applied;
use registry_domain::State;
use std::collections::BTreeSet;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::watch;

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
    revision: watch::Sender<u64>,
    orders: OrderSignals,
}

impl View {
    /// A view that begins with this.
    #[must_use]
    pub fn new(replicated: Replicated) -> Self {
        let revision = watch::Sender::new(replicated.state.revision());
        Self { replicated: RwLock::new(replicated), revision, orders: OrderSignals::default() }
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

    /// Changes the state, then wakes those who wait. `change` returns the
    /// nodes that have something else to do than before.
    pub(crate) fn change<T, E>(
        &self,
        change: impl FnOnce(&mut Replicated) -> Result<(T, BTreeSet<NodeName>), E>,
    ) -> Result<T, E> {
        let (result, orders, revision) = {
            let mut replicated = self.replicated.write().unwrap_or_else(PoisonError::into_inner);
            let (result, orders) = change(&mut replicated)?;
            (result, orders, replicated.state.revision())
        };
        self.publish(revision);
        self.orders.tell(&orders);
        Ok(result)
    }

    /// Puts another state in the place of the one before; `meanwhile` runs
    /// while nobody reads.
    pub(crate) fn replace(&self, state: State, applied: Applied, meanwhile: impl FnOnce()) {
        let revision = state.revision();
        let before = {
            let mut replicated = self.replicated.write().unwrap_or_else(PoisonError::into_inner);
            meanwhile();
            std::mem::replace(&mut *replicated, Replicated { state, applied })
        };
        self.publish(revision);
        self.orders.tell_all();
        // Only now, as it takes a while.
        drop(before);
    }

    fn publish(&self, revision: u64) {
        self.revision.send_if_modified(|last| std::mem::replace(last, revision) != revision);
    }

    /// The newest revision, and each change of it.
    #[must_use]
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// A signal whenever this node may have something else to do.
    #[must_use]
    pub fn orders(&self, node: &NodeName) -> OrderSignal {
        self.orders.listen(node)
    }
}
