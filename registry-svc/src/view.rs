//! What everybody reads: the state as of the last applied entry, and a signal
//! when it has changed. Written by the state machine only.

use crate::io::type_config::{LogId, Membership};
use registry_domain::State;
use std::sync::{PoisonError, RwLock, RwLockReadGuard};
use tokio::sync::watch;

/// State and position, always of the same moment.
#[derive(Debug, Clone, Default)]
pub struct Machine {
    /// The state.
    pub state: State,
    /// The last entry that it reflects.
    pub applied: Option<LogId>,
    /// The members as of that entry.
    pub membership: Membership,
}

/// The machine, shared.
#[derive(Debug)]
pub struct View {
    machine: RwLock<Machine>,
    revision: watch::Sender<u64>,
    orders: watch::Sender<u64>,
}

impl View {
    /// A view that begins with this machine.
    #[must_use]
    pub fn new(machine: Machine) -> Self {
        let revision = watch::Sender::new(machine.state.revision());
        Self { machine: RwLock::new(machine), revision, orders: watch::Sender::new(0) }
    }

    /// The machine, for a moment: no await, no I/O while it is held.
    pub fn read(&self) -> RwLockReadGuard<'_, Machine> {
        // `step` does not panic, and after a panic the process ends anyway.
        self.machine.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the machine, then wakes those who wait. `change` returns
    /// whether some node has something else to do than before.
    pub(crate) fn change<T>(&self, change: impl FnOnce(&mut Machine) -> (T, bool)) -> T {
        let (result, orders_changed, revision) = {
            let mut machine = self.machine.write().unwrap_or_else(PoisonError::into_inner);
            let (result, orders_changed) = change(&mut machine);
            (result, orders_changed, machine.state.revision())
        };
        self.revision.send_if_modified(|last| std::mem::replace(last, revision) != revision);
        if orders_changed {
            self.orders.send_modify(|count| *count += 1);
        }
        result
    }

    /// The newest revision, and each change of it.
    #[must_use]
    pub fn revisions(&self) -> watch::Receiver<u64> {
        self.revision.subscribe()
    }

    /// A signal whenever some node may have something else to do.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<u64> {
        self.orders.subscribe()
    }
}
