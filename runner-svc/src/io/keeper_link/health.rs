//! What people are told of the keeper: whether it answers, which it is, how
//! many were lost.

use std::sync::{Arc, Mutex, PoisonError};

/// What is known of the keeper now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct KeeperHealth {
    pub(crate) connected: bool,
    /// Its process, protocol version and build; those of the last one while
    /// none is connected.
    pub(crate) pid: u32,
    pub(crate) version: u32,
    pub(crate) build: String,
    /// How it holds trees together, and why not better.
    pub(crate) containment: Arc<str>,
    pub(crate) containment_note: String,
    /// Keepers whose runs were lost with them.
    pub(crate) losses: u64,
}

/// Shared between the link and whoever looks.
#[derive(Debug, Clone, Default)]
pub(super) struct Health(Arc<Mutex<KeeperHealth>>);

impl Health {
    fn change(&self, change: impl FnOnce(&mut KeeperHealth)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn get(&self) -> KeeperHealth {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// A keeper said welcome.
    pub(super) fn connected(&self, pid: u32, version: u32, build: &str, (containment, note): (&str, &str)) {
        self.change(|health| {
            (health.connected, health.pid, health.version) = (true, pid, version);
            build.clone_into(&mut health.build);
            health.containment = containment.into();
            note.clone_into(&mut health.containment_note);
        });
    }

    /// The connection broke.
    pub(super) fn broken(&self) {
        self.change(|health| health.connected = false);
    }

    /// Another keeper is in its place.
    pub(super) fn lost(&self) {
        self.change(|health| health.losses += 1);
    }
}
