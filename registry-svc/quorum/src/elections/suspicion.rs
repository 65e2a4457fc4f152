//! What speaks against the leader: links, silence, what it said itself. Told
//! what was seen; answers with the evidence at a moment, and when there will be
//! some if nothing else happens.

use super::{Evidence, Timing};
use crate::{Millis, ReplicaId};
use std::collections::BTreeMap;

/// What is known of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Link {
    Up,
    Down { since: Millis, refused: bool },
}

/// The case against the leader that is followed now.
#[derive(Clone, Debug)]
pub(super) struct Suspicion {
    timing: Timing,
    /// Silence counts from here.
    listened: Millis,
    /// The last append of a leader that this process took: the lease of the Raft library runs from it. None after a
    /// start (the library forgets it) and once another term was voted for (it no longer counts).
    appended: Option<Millis>,
    links: BTreeMap<ReplicaId, Link>,
    boots: BTreeMap<ReplicaId, u64>,
    /// `Resigned`, `Restarted` or `MovedOn`: about the leader of this term.
    testimony: Option<Evidence>,
    /// A term without a leader: until then its candidate has the field.
    vacant_from: Option<Millis>,
}

impl Suspicion {
    pub(super) fn new(timing: Timing, now: Millis) -> Self {
        let (links, boots) = (BTreeMap::new(), BTreeMap::new());
        Self { timing, listened: now, appended: None, links, boots, testimony: None, vacant_from: None }
    }

    /// Somebody leads a new term. True: its link is down in our books and has to be tried again.
    pub(super) fn leader_is(&mut self, leader: ReplicaId, now: Millis) -> bool {
        self.testimony = None;
        self.vacant_from = None;
        self.heard(leader, now)
    }

    /// A term without a leader began: somebody, maybe we, stands in it.
    pub(super) fn vacant(&mut self, now: Millis) {
        self.listened = now;
        self.appended = None;
        self.testimony = None;
        self.vacant_from = Some(now.plus(self.timing.retry));
    }

    /// The leader gave a sign. True: its link is down in our books; what that said is older than the sign, so it has
    /// to be tried again before it counts.
    pub(super) fn heard(&mut self, leader: ReplicaId, now: Millis) -> bool {
        self.listened = now;
        self.appended = Some(now);
        self.testimony = self.testimony.filter(|testimony| testimony.is_final());
        match self.links.get_mut(&leader) {
            Some(Link::Down { since, refused }) => {
                *since = now;
                *refused = false;
                true
            }
            Some(Link::Up) | None => false,
        }
    }

    /// The leader said so itself, or is seen where no leader of this term can be.
    pub(super) fn testifies(&mut self, evidence: Evidence) {
        if evidence.is_final() || self.testimony.is_none() {
            self.testimony = Some(evidence);
        }
    }

    pub(super) fn link_up(&mut self, peer: ReplicaId, boot: u64, leader: Option<ReplicaId>) {
        let known = self.boots.get(&peer).copied();
        if known.is_some_and(|known| known > boot) {
            // News of a process that is gone already.
            return;
        }
        self.boots.insert(peer, boot);
        self.links.insert(peer, Link::Up);
        if leader == Some(peer) && known.is_some_and(|known| known < boot) {
            self.testifies(Evidence::Restarted);
        }
    }

    /// True: the link was not known to be down before.
    pub(super) fn link_down(&mut self, peer: ReplicaId, refused: bool, now: Millis) -> bool {
        match self.links.get_mut(&peer) {
            Some(Link::Down { refused: known, .. }) => {
                // Who refused once and is silent now is no more alive than before.
                *known |= refused;
                false
            }
            Some(Link::Up) | None => {
                self.links.insert(peer, Link::Down { since: now, refused });
                true
            }
        }
    }

    pub(super) fn is_up(&self, peer: ReplicaId) -> bool {
        self.links.get(&peer) == Some(&Link::Up)
    }

    /// We did not listen for so long: it is no evidence against anybody.
    pub(super) fn slept(&mut self, ms: u64, now: Millis) {
        self.listened = self.listened.plus(ms).min(now);
        for link in self.links.values_mut() {
            if let Link::Down { since, .. } = link {
                *since = since.plus(ms).min(now);
            }
        }
    }

    /// Milliseconds until the lease of the last append is over.
    pub(super) fn lease_left(&self, now: Millis) -> u64 {
        let over = self.appended.map(|at| at.plus(self.timing.lease + self.timing.margin));
        over.map_or(0, |over| over.since(now))
    }

    /// What speaks against the leader now; it begins at [`Self::from`] if nothing is seen before.
    pub(super) fn evidence(&self, leader: Option<ReplicaId>, now: Millis) -> Option<Evidence> {
        self.from(leader, now).filter(|(at, _)| *at <= now).map(|(_, evidence)| evidence)
    }

    /// The earliest evidence, and when it begins: a moment of the past if it has begun.
    pub(super) fn from(&self, leader: Option<ReplicaId>, now: Millis) -> Option<(Millis, Evidence)> {
        let silence = (self.listened.plus(self.timing.silence), Evidence::Silence);
        let Some(leader) = leader else {
            let vacant = self.vacant_from.map(|at| (at, Evidence::Vacant));
            return Some(vacant.unwrap_or(silence));
        };
        if let Some(testimony) = self.testimony {
            return Some((now, testimony));
        }
        let link = match self.links.get(&leader) {
            Some(Link::Down { refused: true, since }) => Some((*since, Evidence::Refused)),
            Some(Link::Down { refused: false, since }) => {
                Some((since.plus(self.timing.unanswered), Evidence::Unanswered))
            }
            Some(Link::Up) | None => None,
        };
        Some(link.filter(|link| link.0 <= silence.0).unwrap_or(silence))
    }
}
