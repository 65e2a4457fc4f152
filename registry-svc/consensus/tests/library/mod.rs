//! Three replicas of the bare library, in memory and in virtual time: what the
//! tests of `openraft_assumptions` are made of.

mod store;
mod wires;

pub(crate) use store::Store;
pub(crate) use wires::Wires;

use openraft::{Config, EmptyNode, LogId, Membership, ServerState, Snapshot, SnapshotMeta, SnapshotPolicy, Vote};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::time::sleep;

openraft::declare_raft_types!(
    /// Words in memory.
    pub(crate) Words:
        D = Word,
        R = (),
        NodeId = u64,
        Node = EmptyNode,
        Entry = openraft::Entry<Words>,
        SnapshotData = (),
);

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Word(pub(crate) Vec<u8>);

pub(crate) type Raft = openraft::Raft<Words>;

pub(crate) const LEASE: u64 = 102;

pub(crate) fn word(text: &[u8]) -> Word {
    Word(text.to_vec())
}

pub(crate) fn at(id: Option<LogId<u64>>) -> u64 {
    id.map_or(0, |id| id.index)
}

pub(crate) async fn pause(ms: u64) {
    sleep(Duration::from_millis(ms)).await;
}

fn config() -> Arc<Config> {
    let config = Config {
        heartbeat_interval: 100,
        election_timeout_min: LEASE - 1,
        election_timeout_max: LEASE,
        snapshot_policy: SnapshotPolicy::Never,
        max_in_snapshot_log_to_keep: u64::MAX,
        enable_elect: false,
        ..Config::default()
    };
    Arc::new(config.validate().unwrap())
}

/// Three replicas.
pub(crate) struct Trio {
    wires: Wires,
    stores: BTreeMap<u64, Store>,
    rafts: Mutex<BTreeMap<u64, &'static Raft>>,
}

impl Trio {
    /// Founded by the first one, which leads.
    pub(crate) async fn founded() -> Self {
        let stores = (1..=3).map(|id| (id, Store::default())).collect();
        let trio = Self { wires: Wires::default(), stores, rafts: Mutex::default() };
        for id in 1..=3 {
            trio.start(id).await;
        }
        let members: BTreeMap<u64, EmptyNode> = (1..=3).map(|id| (id, EmptyNode::new())).collect();
        trio.raft(1).initialize(members).await.unwrap();
        trio.leads(1).await;
        trio
    }

    async fn start(&self, id: u64) {
        let store = self.stores[&id].clone();
        let raft = Raft::new(id, config(), self.wires.of(id), store.clone(), store).await.unwrap();
        self.wires.open(id, raft.clone());
        // A handful for each test process.
        self.rafts.lock().unwrap().insert(id, Box::leak(Box::new(raft)));
    }

    /// Ends a replica and starts it again with another vote than it wrote.
    pub(crate) async fn restart(&self, id: u64, vote: impl FnOnce(Vote<u64>) -> Vote<u64>) {
        self.raft(id).shutdown().await.unwrap();
        self.stores[&id].change_vote(vote);
        self.start(id).await;
        pause(1).await;
    }

    pub(crate) fn raft(&self, id: u64) -> &'static Raft {
        self.rafts.lock().unwrap()[&id]
    }

    pub(crate) async fn leads(&self, id: u64) {
        while self.state(id) != ServerState::Leader {
            pause(1).await;
        }
        pause(5).await;
    }

    pub(crate) async fn leader(&self) -> (u64, u64) {
        let id = (1..=3).find(|id| self.state(*id) == ServerState::Leader).unwrap();
        (id, self.vote(id).await.leader_id.term)
    }

    pub(crate) fn state(&self, id: u64) -> ServerState {
        self.raft(id).metrics().borrow().state
    }

    pub(crate) async fn vote(&self, id: u64) -> Vote<u64> {
        self.raft(id).with_raft_state(|state| *state.vote_ref()).await.unwrap()
    }

    pub(crate) async fn last(&self, id: u64) -> Option<LogId<u64>> {
        // What is asked of the engine comes after everything that it was told.
        self.vote(id).await;
        self.stores[&id].last()
    }

    pub(crate) fn members(&self, id: u64) -> Membership<u64, EmptyNode> {
        self.raft(id).metrics().borrow().membership_config.membership().clone()
    }

    pub(crate) async fn write(&self, id: u64, text: &[u8]) {
        self.raft(id).client_write(word(text)).await.unwrap();
        // The followers hear that it is committed.
        pause(5).await;
    }

    /// Nothing goes to a replica, and nothing comes from it.
    pub(crate) fn cut(&self, id: u64, cut: bool) {
        self.wires.cut(id, cut);
    }

    pub(crate) fn delay_votes(&self, ms: u64) {
        self.wires.delay_votes(ms);
    }

    pub(crate) fn delay_appends(&self, ms: u64) {
        self.wires.delay_appends(ms);
    }

    /// How many appends were sent so far.
    pub(crate) fn appends(&self) -> u64 {
        self.wires.appends()
    }

    pub(crate) fn purged(&self, id: u64) -> Option<LogId<u64>> {
        self.stores[&id].purged()
    }

    /// From now on the machine of a replica never finishes an installation.
    pub(crate) fn hold_installation(&self, id: u64) {
        self.stores[&id].hold();
    }

    /// As a leader would send it.
    pub(crate) fn snapshot_of(&self, leader: u64, at: LogId<u64>) -> Snapshot<Words> {
        let last_membership = self.raft(leader).metrics().borrow().membership_config.as_ref().clone();
        let meta = SnapshotMeta { last_log_id: Some(at), last_membership, snapshot_id: "one".to_owned() };
        Snapshot { meta, snapshot: Box::new(()) }
    }
}
