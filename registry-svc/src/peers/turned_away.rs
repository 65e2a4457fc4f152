//! What follows from a refusal: nothing but a log line, or the end of this
//! process.
//!
//! One of our own cluster, not left behind itself, is believed at once. A
//! stranger is not: addresses are handed on from one cluster to another, and
//! a healthy member must not end because somebody else answers where its peer
//! was. But if strangers answer wherever it has a peer, this replica itself
//! is the one that does not belong.

use super::shared::Shared;
use super::{Fenced, Hello, Stops, Turned};
use registry_consensus::ReplicaId;
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};
use tokio::sync::watch;

/// Refusals, given and taken.
#[derive(Debug)]
pub(super) struct TurnedAway {
    fenced: watch::Sender<Option<Fenced>>,
    /// At whose address a stranger turned us away.
    strangers: Mutex<BTreeSet<ReplicaId>>,
}

impl TurnedAway {
    pub(super) fn new() -> Self {
        Self { fenced: watch::Sender::new(None), strangers: Mutex::default() }
    }

    pub(super) fn fenced(&self) -> watch::Receiver<Option<Fenced>> {
        self.fenced.subscribe()
    }

    /// A peer that we dialled turned us away.
    pub(super) fn by_dialled(&self, shared: &Shared, peer: ReplicaId, by: &Hello, turned: &Turned) {
        if self.by(shared, by, turned)
            || turned.stops != Stops::Sender
            || by.fence.cluster == shared.identity.fence.cluster
        {
            return;
        }
        let mut strangers = self.strangers.lock().unwrap_or_else(PoisonError::into_inner);
        strangers.insert(peer);
        if shared.members().is_subset(&strangers) {
            self.fence(by.from(), &turned.why, false);
        }
    }

    /// One of the other ends turned us away; true if that ends this process.
    pub(super) fn by(&self, shared: &Shared, by: &Hello, turned: &Turned) -> bool {
        let ends = turned.stops == Stops::Sender && shared.identity.heeds(by);
        if ends {
            self.fence(by.from(), &turned.why, true);
        }
        ends
    }

    /// We turned somebody away.
    pub(super) fn we(&self, who: &Hello, turned: &Turned) {
        match turned.stops {
            Stops::Ourselves => self.fence(who.from(), &turned.why, true),
            Stops::Nobody | Stops::Sender => {}
        }
    }

    /// A peer let us in.
    pub(super) fn welcome(&self, peer: ReplicaId) {
        self.strangers.lock().unwrap_or_else(PoisonError::into_inner).remove(&peer);
    }

    /// The cluster itself refuses this replica.
    pub(super) fn end(&self, by: ReplicaId, why: &str) {
        self.fence(by, why, true);
    }

    /// The first reason stays.
    fn fence(&self, by: ReplicaId, why: &str, for_good: bool) {
        self.fenced.send_if_modified(|fenced| {
            let first = fenced.is_none();
            fenced.get_or_insert_with(|| Fenced { by, why: why.to_owned(), for_good });
            first
        });
    }
}
