//! The network of the simulation: who reaches whom, how late, how often. Also
//! the memory of what was wrong lately, by which the checks know whether a
//! leader had every right to stay one.

use registry_quorum::{Chance, ReplicaId};
use std::collections::{BTreeMap, BTreeSet};

/// Microseconds of virtual time.
pub type Micros = u64;
pub const MS: Micros = 1_000;

#[derive(Debug)]
pub struct Network {
    pub delay: Micros,
    pub jitter: Micros,
    /// Per cent of messages.
    pub loss: u64,
    pub doubles: u64,
    blocked: BTreeMap<(ReplicaId, ReplicaId), Micros>,
    /// Until then it was blocked.
    healed: BTreeMap<(ReplicaId, ReplicaId), Micros>,
    /// The weather was bad until then.
    rough_until: Micros,
}

impl Network {
    pub fn calm() -> Self {
        let (blocked, healed) = (BTreeMap::new(), BTreeMap::new());
        Self { delay: MS * 9 / 10, jitter: MS / 5, loss: 0, doubles: 0, blocked, healed, rough_until: 0 }
    }

    pub fn rough(&mut self, delay: Micros, jitter: Micros, loss: u64, doubles: u64) {
        (self.delay, self.jitter, self.loss, self.doubles) = (delay, jitter, loss, doubles);
        self.rough_until = Micros::MAX;
    }

    pub fn calm_down(&mut self, now: Micros) {
        let calm = Self::calm();
        (self.delay, self.jitter, self.loss, self.doubles) = (calm.delay, calm.jitter, 0, 0);
        self.rough_until = self.rough_until.min(now);
    }

    pub fn block(&mut self, from: ReplicaId, to: ReplicaId, now: Micros) {
        self.blocked.entry((from, to)).or_insert(now);
    }

    pub fn cut(&mut self, one: &BTreeSet<ReplicaId>, other: &BTreeSet<ReplicaId>, now: Micros) {
        for a in one {
            for b in other.iter().filter(|b| *b != a) {
                self.block(*a, *b, now);
                self.block(*b, *a, now);
            }
        }
    }

    pub fn heal(&mut self, now: Micros) {
        for pair in std::mem::take(&mut self.blocked).into_keys() {
            self.healed.insert(pair, now);
        }
    }

    pub fn open(&self, from: ReplicaId, to: ReplicaId) -> bool {
        !self.blocked.contains_key(&(from, to))
    }

    /// Both ways.
    pub fn connected(&self, a: ReplicaId, b: ReplicaId) -> bool {
        self.open(a, b) && self.open(b, a)
    }

    /// Cut in either direction for so long.
    pub fn cut_for(&self, a: ReplicaId, b: ReplicaId, now: Micros) -> Micros {
        let since = [(a, b), (b, a)].into_iter().filter_map(|pair| self.blocked.get(&pair)).min();
        since.map_or(0, |since| now - since)
    }

    /// Nothing was wrong between the two for so long.
    pub fn well_for(&self, a: ReplicaId, b: ReplicaId, now: Micros) -> Micros {
        if !self.connected(a, b) {
            return 0;
        }
        let healed = [(a, b), (b, a)].into_iter().filter_map(|pair| self.healed.get(&pair).copied()).max();
        now.saturating_sub(healed.unwrap_or(0).max(self.rough_until))
    }

    /// The delays of the copies that arrive; none for a message that is lost.
    pub fn carry(&self, from: ReplicaId, to: ReplicaId, chance: &mut Chance) -> Vec<Micros> {
        if !self.open(from, to) || chance.up_to(99) < self.loss {
            return Vec::new();
        }
        let copies = 1 + u64::from(chance.up_to(99) < self.doubles);
        (0..copies).map(|_| self.delay + chance.up_to(self.jitter)).collect()
    }
}
