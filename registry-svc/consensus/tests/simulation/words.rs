//! The simple machine: words, each counted once, as the registry counts
//! requests by their ids.

use crate::rig::{Bits, Dice, Oracle, Shelf, Stand, Subject, World};
use bytes::Bytes;
use futures::future::BoxFuture;
use registry_consensus::{
    Answers, Applied, Committed, Consensus, Door, Entry, Machine, MachineFault, Payload, Snapshot, SnapshotMeta,
    SnapshotSink,
};
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard};
use tokio::task::JoinHandle;

/// The replicated words.
pub(crate) struct Words {
    shelf: Shelf,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    order: Vec<u64>,
    times: BTreeMap<u64, u32>,
    applied: Applied,
}

/// Filling, so that a log grows.
const FILLING: usize = 300;

impl Words {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn restore(&self, snapshot: &Snapshot) -> io::Result<()> {
        let bytes = snapshot.source.read_at(0, usize::MAX / 2)?;
        let mut state = self.lock();
        state.order = bytes.chunks_exact(8).map(|word| u64::from_le_bytes(word.try_into().unwrap())).collect();
        state.times = BTreeMap::new();
        for word in state.order.clone() {
            *state.times.entry(word).or_default() += 1;
        }
        let SnapshotMeta { at, members_at, members, .. } = snapshot.meta.clone();
        state.applied = Applied { at, members_at, members };
        Ok(())
    }
}

impl Subject for Words {
    type Service = Consensus;
    type Common = ();

    fn common(_: &Oracle, _: &Dice) {}

    fn open(_: (u64, u64), shelf: Shelf, (): &()) -> Arc<Self> {
        let words = Self { shelf, state: Mutex::default() };
        if let Some(snapshot) = words.shelf.snapshot() {
            words.restore(&snapshot).unwrap();
        }
        Arc::new(words)
    }

    fn serve(stand: Stand<Self>) -> Consensus {
        stand.consensus
    }

    fn door(service: &Consensus) -> Arc<dyn Door> {
        Arc::new(service.clone())
    }

    fn end(_: &Consensus) {}

    fn users(world: &World<Self>, dice: &Dice) -> Vec<JoinHandle<()>> {
        let mut users = Vec::new();
        for client in 1..=3 {
            users.push(tokio::spawn(world.clone().writes(client, dice.fork())));
        }
        users.push(tokio::spawn(world.clone().reads(dice.fork())));
        users.push(tokio::spawn(world.clone().reads(dice.fork())));
        users.push(tokio::spawn(world.clone().operates(dice.fork())));
        users
    }

    async fn equal(world: &World<Self>) {
        world.equal().await;
    }
}

impl Words {
    /// A batch that says this word; however often it is written, it has its effect once.
    pub(crate) fn batch(word: u64) -> Payload {
        let mut bytes = vec![Payload::FIRST_FORMAT];
        bytes.extend(word.to_le_bytes());
        bytes.resize(bytes.len() + FILLING, 0);
        Payload::new(bytes.into()).unwrap()
    }

    /// How many times a word has had its effect.
    pub(crate) fn times(&self, word: u64) -> u32 {
        self.lock().times.get(&word).copied().unwrap_or(0)
    }

    /// The words in the order of their effects; equal on all replicas in the end.
    pub(crate) fn words(&self) -> Vec<u64> {
        self.lock().order.clone()
    }
}

impl Machine for Words {
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault> {
        let mut state = self.lock();
        for Committed { at, entry } in &entries {
            state.applied.at = Some(*at);
            match entry {
                Entry::Blank => {}
                Entry::Members(members) => {
                    state.applied.members_at = Some(*at);
                    state.applied.members = members.clone();
                }
                Entry::Batch(payload) => {
                    let word = u64::from_le_bytes(payload.bytes()[1..9].try_into().unwrap());
                    if !state.times.contains_key(&word) {
                        *state.times.entry(word).or_default() += 1;
                        state.order.push(word);
                    }
                }
            }
        }
        Ok(entries.iter().map(|_| Answers::default()).collect())
    }

    fn applied(&self) -> Applied {
        self.lock().applied.clone()
    }

    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>> {
        let (applied, bytes) = {
            let state = self.lock();
            (
                state.applied.clone(),
                Bytes::from(state.order.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<_>>()),
            )
        };
        Box::pin(async move {
            let Applied { at, members_at, members } = applied;
            let id = format!("{at:?}");
            let snapshot =
                Snapshot { meta: SnapshotMeta { id, at, members_at, members }, source: Arc::new(Bits(bytes)) };
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
            self.restore(&snapshot).map_err(|error| MachineFault::new("cannot read a snapshot", error))?;
            // The file is there, and the process may end before anybody hears of it.
            tokio::time::sleep(self.shelf.dice().millis(0, 20)).await;
            Ok(())
        })
    }
}
