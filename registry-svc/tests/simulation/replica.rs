//! One replica: the machine without a disk under the judge's eyes, and the
//! office over it, as in the real service.

use crate::rig::{Dice, Oracle, Shelf, Stand, Subject, World};
use crate::town::{Town, address, address_book};
use crate::{clients, runners, settles, troubles};
use futures::future::BoxFuture;
use registry_consensus::{
    Answers, Applied, Committed, Consensus, Door, Entry, Machine, MachineFault, Snapshot, SnapshotMeta, SnapshotSink,
};
use registry_domain::{Row, RowKey, State};
use registry_svc::Options;
use registry_svc::clock::Clock;
use registry_svc::door::ServiceDoor;
use registry_svc::machine::{Volatile, payload};
use registry_svc::office::{Ground, Office};
use service_host::metrics::Metrics;
use service_host::secret::Secret;
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher as _};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::JoinHandle;

/// A node's lease: short, so that a run sees many end.
pub(crate) const LEASE: Duration = Duration::from_millis(1_500);

/// The machine of one life.
pub(crate) struct Replica {
    life: (u64, u64),
    shelf: Shelf,
    town: Town,
    pub(crate) machine: Volatile,
    /// The hash of each row, as the commands said that it changed; and their sum.
    rows: Mutex<(BTreeMap<RowKey, u64>, u64)>,
}

/// The service of one life.
pub(crate) struct Served {
    pub(crate) office: Arc<Office>,
    consensus: Consensus,
    clock: Clock,
    tasks: Mutex<Vec<JoinHandle<()>>>,
}

fn hash(row: &Row) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(&rmp_serde::to_vec(row).unwrap());
    hasher.finish()
}

fn hashes(state: &State) -> BTreeMap<RowKey, u64> {
    state.rows().map(|row| (row.key(), hash(&row))).collect()
}

fn sum(rows: &BTreeMap<RowKey, u64>) -> u64 {
    rows.values().fold(0, |sum, row| sum.wrapping_add(*row))
}

impl Replica {
    /// The sum over all rows: kept up with what the commands touched.
    fn digest(&self) -> u64 {
        self.rows.lock().unwrap().1
    }

    /// The same, from all rows that there are.
    pub(crate) fn recounted(&self) -> u64 {
        sum(&hashes(&self.machine.view().read().state))
    }

    /// Position and digest.
    pub(crate) fn stands(&self) -> (u64, u64) {
        (self.machine.applied().at.map_or(0, |at| at.index), self.digest())
    }

    /// Another state than before, as a whole.
    fn begins_with(&self) {
        let rows = hashes(&self.machine.view().read().state);
        let sum = sum(&rows);
        *self.rows.lock().unwrap() = (rows, sum);
        if let Some(at) = self.machine.applied().at {
            self.town.judge.has(self.life, at.index, self.digest());
        }
    }

    fn apply_one(&self, entry: Committed) -> Result<Answers, MachineFault> {
        let at = entry.at;
        let commands = match &entry.entry {
            Entry::Batch(batch) => payload::decode(batch).unwrap(),
            Entry::Blank | Entry::Members(_) => Vec::new(),
        };
        let mut touched = Vec::new();
        let mut answers = self.machine.apply(vec![entry], |rows| touched = rows)?;
        {
            let replicated = self.machine.view().read();
            let mut rows = self.rows.lock().unwrap();
            let (rows, sum) = &mut *rows;
            for key in touched {
                let now = replicated.state.row(&key).map(|row| hash(&row));
                let before = match now {
                    Some(hash) => rows.insert(key, hash),
                    None => rows.remove(&key),
                };
                *sum = sum.wrapping_add(now.unwrap_or(0)).wrapping_sub(before.unwrap_or(0));
            }
        }
        let refused = commands.into_iter().zip(answers.iter().flat_map(|answers| &answers.0));
        let refused = refused.filter(|(_, answer)| answer.is_err()).map(|(command, _)| command.header.reason);
        self.town.judge.turned_down(refused.collect());
        let digest = self.digest();
        self.town.judge.applied(self.life, at.index, digest, &self.machine.view().read().state);
        Ok(answers.pop().unwrap_or_default())
    }
}

impl Machine for Replica {
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault> {
        entries.into_iter().map(|entry| self.apply_one(entry)).collect()
    }

    fn applied(&self) -> Applied {
        self.machine.applied()
    }

    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>> {
        let taken = self.machine.snapshot();
        Box::pin(async move {
            let snapshot = taken?;
            tokio::time::sleep(self.shelf.dice().millis(1, 60)).await;
            self.shelf.put(snapshot.clone());
            Ok(snapshot)
        })
    }

    fn newest_snapshot(&self) -> Result<Option<Snapshot>, MachineFault> {
        Ok(self.shelf.snapshot())
    }

    fn receive_snapshot(&self, meta: &SnapshotMeta, bytes: u64) -> Result<Box<dyn SnapshotSink>, MachineFault> {
        Ok(self.shelf.receive(meta, bytes))
    }

    fn install_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<(), MachineFault>> {
        Box::pin(async move {
            tokio::time::sleep(self.shelf.dice().millis(0, 20)).await;
            self.shelf.put(snapshot.clone());
            self.machine.install(&snapshot)?;
            self.begins_with();
            // The file is there, and the process may end before anybody hears of it.
            tokio::time::sleep(self.shelf.dice().millis(0, 20)).await;
            Ok(())
        })
    }
}

fn options(id: u64, dice: &Dice) -> Options {
    // One clock drives all replicas. What their clocks' rates would do to a lease, a lease that differs does as well: it
    // is never compared with what another replica measured.
    let lease = LEASE.mul_f64(dice.between(900, 1_100) as f64 / 1e3);
    Options {
        advertise: address(id),
        peers: vec!["http://others".to_owned()],
        heartbeat_interval: LEASE / 5,
        lease,
        event_retention: 200,
        ..Options::new("", Secret::new("a-token-of-the-simulation-0123456789").unwrap())
    }
}

impl Subject for Replica {
    type Service = Served;
    type Common = Town;

    fn common(oracle: &Oracle, dice: &Dice) -> Town {
        Town::new(oracle, dice)
    }

    fn open(life: (u64, u64), shelf: Shelf, town: &Town) -> Arc<Self> {
        let machine = Volatile::open(shelf.snapshot().as_ref()).unwrap();
        let replica = Self { life, shelf, town: town.clone(), machine, rows: Mutex::default() };
        replica.begins_with();
        Arc::new(replica)
    }

    fn serve(stand: Stand<Self>) -> Served {
        let Stand { life: (id, _), consensus, machine, peers, common: town } = stand;
        let clock = town.clocks.of(id);
        let (office, tasks) = Office::open(Ground {
            consensus: consensus.clone(),
            peers,
            book: address_book(),
            view: machine.machine.view().clone(),
            metrics: Metrics::new("registry-svc"),
            clock: clock.clone(),
            options: options(id, &town.dice),
            cluster: "the-cluster".to_owned(),
            epoch: 0,
        });
        Served { office: Arc::new(office), consensus, clock, tasks: Mutex::new(tasks) }
    }

    fn door(service: &Served) -> Arc<dyn Door> {
        Arc::new(ServiceDoor { consensus: service.consensus.clone(), clock: service.clock.clone() })
    }

    fn end(service: &Served) {
        service.office.close();
        service.tasks.lock().unwrap().drain(..).for_each(|task| task.abort());
    }

    fn users(world: &World<Self>, dice: &Dice) -> Vec<JoinHandle<()>> {
        let mut users = clients::begin(world, dice);
        users.push(tokio::spawn(clients::raise_level(world.clone(), dice.fork())));
        runners::begin(world);
        users.push(tokio::spawn(troubles::come(world.clone(), dice.fork())));
        users
    }

    async fn equal(world: &World<Self>) {
        settles::all_is_well(world).await;
    }
}
