//! What the others asked of us. A question that had to be answered with no is
//! kept for a while: two replicas seldom notice a death in the same
//! millisecond, and the one that noticed first should not lose a round for it.

use super::Ballot;
use crate::{Millis, ReplicaId};
use std::collections::BTreeMap;

#[derive(Clone, Copy, Debug)]
struct Petition {
    ballot: Ballot,
    at: Millis,
    granted: bool,
}

/// The newest question of each peer.
#[derive(Clone, Debug)]
pub(super) struct Petitions {
    life: u64,
    newest: BTreeMap<ReplicaId, Petition>,
}

impl Petitions {
    pub(super) fn new(life: u64) -> Self {
        Self { life, newest: BTreeMap::new() }
    }

    pub(super) fn asked(&mut self, from: ReplicaId, ballot: Ballot, granted: bool, now: Millis) {
        self.newest.insert(from, Petition { ballot, at: now, granted });
    }

    /// Questions that were answered with no and are still worth a yes.
    pub(super) fn open(&self, now: Millis) -> Vec<(ReplicaId, Ballot)> {
        let fresh = self.newest.iter().filter(|(_, petition)| !petition.granted && now.since(petition.at) <= self.life);
        fresh.map(|(from, petition)| (*from, petition.ballot)).collect()
    }

    /// There is a leader again, or a new term: what was asked before is void.
    pub(super) fn clear(&mut self) {
        self.newest.clear();
    }
}
