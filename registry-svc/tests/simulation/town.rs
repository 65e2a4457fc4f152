//! What all lives of all replicas share, and what is outside of them.

use crate::judge::Judge;
use crate::rig::{Dice, Oracle};
use crate::runners::Fleet;
use process_model::Timestamp;
use registry_consensus::ReplicaId;
use registry_svc::clock::Clock;
use registry_svc::peers::AddressBook;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::time::Instant;

/// When the world begins, by a clock that is right.
const BEGAN: i64 = 1_750_000_000_000_000_000;
/// Most replicas of a world.
const REPLICAS: u64 = 9;

/// The outside; clones share it.
#[derive(Clone)]
pub(crate) struct Town {
    pub(crate) judge: Judge,
    pub(crate) fleet: Fleet,
    pub(crate) clocks: Clocks,
    pub(crate) dice: Dice,
}

impl Town {
    pub(crate) fn new(oracle: &Oracle, dice: &Dice) -> Self {
        let (judge, clocks) = (Judge::new(oracle.clone()), Clocks::new());
        let fleet = Fleet::new(dice, &judge, &clocks);
        Self { judge, fleet, clocks, dice: dice.fork() }
    }
}

/// Where a replica says that it is reached.
pub(crate) fn address(id: u64) -> String {
    format!("http://replica-{id}")
}

/// The replica at an address.
pub(crate) fn at_address(address: &str) -> Option<u64> {
    address.strip_prefix("http://replica-")?.parse().ok()
}

pub(crate) fn address_book() -> AddressBook {
    let book = AddressBook::default();
    (1..=REPLICAS).for_each(|id| book.set(ReplicaId(id), &address(id)));
    book
}

/// The clocks of all hosts: each may be wrong, and go wrong.
#[derive(Clone)]
pub(crate) struct Clocks {
    began: Instant,
    wrong: Arc<Mutex<BTreeMap<u64, Wrong>>>,
}

/// How wrong one is: by how much, and by how many millionths it is too fast.
#[derive(Clone, Copy, Default)]
pub(crate) struct Wrong {
    pub(crate) nanos: i64,
    pub(crate) millionths: i64,
}

impl Clocks {
    fn new() -> Self {
        Self { began: Instant::now(), wrong: Arc::default() }
    }

    /// Sets a host's clock wrong, or right again.
    pub(crate) fn set(&self, host: u64, wrong: Wrong) {
        self.wrong.lock().unwrap().insert(host, wrong);
    }

    pub(crate) fn of(&self, host: u64) -> Clock {
        let clocks = self.clone();
        Clock::of(move || clocks.now(host))
    }

    pub(crate) fn now(&self, host: u64) -> Timestamp {
        let passed = self.began.elapsed().as_nanos() as i64;
        let Wrong { nanos, millionths } = self.wrong.lock().unwrap().get(&host).copied().unwrap_or_default();
        Timestamp(BEGAN + passed + passed / 1_000_000 * millionths + nanos)
    }
}
