//! The cluster as a whole: who runs, who crashed, what is left of whom.

use super::life::{Start, settings};
use super::{Dice, Kept, Life, Net, Oracle, Shelf, Subject, Weather};
use registry_consensus::{ReplicaId, Settings};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often a condition of the whole world is looked at.
const LOOK: Duration = Duration::from_millis(5);

/// How a replica ends.
#[derive(Clone, Copy)]
pub(crate) struct Crash {
    /// Its host goes, too: nobody refuses a dial.
    pub(crate) dark: bool,
    /// Nothing of what was not synced is on the disk; else any part of it.
    pub(crate) all_lost: bool,
}

/// The cluster; clones share it.
pub(crate) struct World<S: Subject> {
    pub(crate) oracle: Oracle,
    pub(crate) net: Net,
    pub(crate) dice: Dice,
    pub(crate) common: S::Common,
    /// Who is to found it.
    founders: BTreeSet<ReplicaId>,
    slots: Arc<Mutex<BTreeMap<u64, Slot<S>>>>,
}

/// One replica, over all its lives.
struct Slot<S: Subject> {
    settings: Settings,
    dice: Dice,
    shelf: Shelf,
    kept: Kept,
    number: u64,
    life: Option<Arc<Life<S>>>,
}

impl<S: Subject> Clone for World<S> {
    fn clone(&self) -> Self {
        let Self { oracle, net, dice, common, founders, slots } = self;
        let (oracle, net, dice, common) = (oracle.clone(), net.clone(), dice.clone(), common.clone());
        Self { oracle, net, dice, common, founders: founders.clone(), slots: slots.clone() }
    }
}

impl<S: Subject> World<S> {
    /// Fresh replicas, so many to vote and so many to spare, that all run.
    pub(crate) fn new(seed: u64, voters: u64, spare: u64, oracle: Oracle) -> Self {
        let dice = Dice::new(seed);
        let net = Net::new(oracle.clone(), dice.fork());
        let founders = (1..=voters).map(ReplicaId).collect();
        let common = S::common(&oracle, &dice);
        let world = Self { oracle, net, dice, common, founders, slots: Arc::default() };
        for id in 1..=voters + spare {
            let own = world.dice.fork();
            let slot = Slot {
                settings: settings(id, &own),
                shelf: Shelf::new(own.fork()),
                dice: own,
                kept: Kept::default(),
                number: 0,
                life: None,
            };
            world.slots().insert(id, slot);
            world.start(id);
        }
        world
    }

    /// Founded, with a leader.
    pub(crate) async fn founded(seed: u64, voters: u64, spare: u64) -> Self {
        let world = Self::new(seed, voters, spare, Oracle::new());
        world.found().await;
        world
    }

    pub(crate) async fn found(&self) {
        self.eventually("the replicas run", |world| world.lives().iter().all(|life| life.consensus().is_some())).await;
        self.life(1).running().found(&self.founders).await.unwrap();
        self.leader().await;
    }

    pub(crate) fn start(&self, id: u64) {
        let mut slots = self.slots();
        let slot = slots.get_mut(&id).unwrap();
        if slot.life.is_some() {
            return;
        }
        slot.number += 1;
        slot.shelf = slot.shelf.handed_on();
        let start = Start {
            id,
            number: slot.number,
            kept: slot.kept.clone(),
            shelf: slot.shelf.clone(),
            settings: slot.settings.clone(),
            dice: slot.dice.fork(),
            oracle: self.oracle.clone(),
            net: self.net.clone(),
            founders: self.founders.clone(),
            common: self.common.clone(),
        };
        self.oracle.note(|| format!("replica {id} starts, life {}", start.number));
        slot.life = Some(Life::begin(start));
    }

    /// Answers false when it does not run.
    pub(crate) fn crash(&self, id: u64, crash: Crash) -> bool {
        let mut slots = self.slots();
        let slot = slots.get_mut(&id).unwrap();
        let Some(life) = slot.life.take() else { return false };
        self.net.ends(id, crash.dark);
        let dice = slot.dice.clone();
        let keeps = |records| if crash.all_lost { 0 } else { dice.between(0, records) };
        slot.kept = life.disk.crash(keeps, dice.permille(500));
        drop(slots);
        life.end();
        self.oracle.note(|| format!("replica {id} crashes"));
        true
    }

    pub(crate) fn ids(&self) -> Vec<u64> {
        self.slots().keys().copied().collect()
    }

    /// Those that run, or are about to.
    pub(crate) fn lives(&self) -> Vec<Arc<Life<S>>> {
        self.slots().values().filter_map(|slot| slot.life.clone()).collect()
    }

    pub(crate) fn life(&self, id: u64) -> Arc<Life<S>> {
        self.running(id).expect("it runs")
    }

    pub(crate) fn running(&self, id: u64) -> Option<Arc<Life<S>>> {
        self.slots().get(&id).and_then(|slot| slot.life.clone())
    }

    /// This very life goes on.
    pub(crate) fn lives_on(&self, life: &Life<S>) -> bool {
        self.slots().get(&life.id).and_then(|slot| slot.life.as_ref()).is_some_and(|now| now.number == life.number)
    }

    /// A copy of what is on a disk now.
    pub(crate) fn kept(&self, id: u64) -> Kept {
        self.life(id).disk.copy()
    }

    /// Puts an old copy in the place of what a replica left.
    pub(crate) fn put_back(&self, id: u64, kept: Kept) {
        self.slots().get_mut(&id).unwrap().kept = kept;
    }

    /// Whoever leads the newest term, and acts on it.
    pub(crate) fn leads(&self) -> Option<u64> {
        let lives = self.lives();
        let leading = lives.iter().filter(|life| life.leads());
        leading.max_by_key(|life| life.standing().term).map(|life| life.id)
    }

    /// Waits for a leader that all who run follow.
    pub(crate) async fn leader(&self) -> u64 {
        self.eventually("somebody leads", |world| world.settled().is_some()).await;
        self.settled().unwrap()
    }

    /// The leader, if all members that run agree on it.
    pub(crate) fn settled(&self) -> Option<u64> {
        let leader = self.life(self.leads()?);
        let standing = leader.standing();
        let follow = |id: &ReplicaId| {
            self.running(id.0).is_none_or(|life| {
                let other = life.standing();
                (other.term, other.leader) == (standing.term, Some(ReplicaId(leader.id)))
            })
        };
        standing.members.all().iter().all(follow).then_some(leader.id)
    }

    /// Waits until it is so; the bound is only there so that a test ends.
    pub(crate) async fn eventually(&self, what: &str, so: impl Fn(&Self) -> bool) {
        self.within(Duration::from_secs(30), what, so).await;
    }

    /// Waits until it is so, which it has to be within this time.
    pub(crate) async fn within(&self, time: Duration, what: &str, so: impl Fn(&Self) -> bool) {
        let began = Instant::now();
        while !so(self) {
            self.look();
            if began.elapsed() > time {
                let lives = self.lives();
                let standings: Vec<_> = lives.iter().map(|life| (life.id, life.standing())).collect();
                self.oracle.violated(format!("not within {time:?}: {what}; {standings:#?}"));
            }
            self.oracle.check();
            sleep(LOOK).await;
        }
        self.oracle.check();
    }

    /// An engine ends only when its disk failed.
    pub(crate) fn look(&self) {
        for life in self.lives() {
            if let Some(fault) = life.standing().fault.filter(|_| !life.disk.is_closed()) {
                self.oracle.violated(format!("the engine of replica {} ended: {fault}", life.id));
            }
        }
    }

    /// No more faults: everybody runs, all disks and links are well.
    pub(crate) fn heal(&self) {
        self.oracle.note(|| "all faults end".to_owned());
        self.net.heal();
        for id in self.ids() {
            if self.running(id).is_some_and(|life| life.disk.is_closed()) {
                self.crash(id, Crash { dark: false, all_lost: false });
            }
            self.start(id);
            self.life(id).disk.heal();
        }
    }

    /// Bad weather on all wires of a host.
    pub(crate) fn weather(&self, id: u64, weather: Weather) {
        for other in self.ids().into_iter().filter(|other| *other != id) {
            self.net.weather(id, other, weather);
            self.net.weather(other, id, weather);
        }
    }

    /// Nothing passes between a host and the others, or everything again.
    pub(crate) fn isolate(&self, id: u64, cut: bool) {
        for other in self.ids().into_iter().filter(|other| *other != id) {
            self.net.cut(id, other, cut);
            self.net.cut(other, id, cut);
        }
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<u64, Slot<S>>> {
        self.slots.lock().unwrap()
    }
}
