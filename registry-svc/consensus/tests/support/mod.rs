//! Three or more replicas in one process: real logs in real directories, a
//! machine that remembers what it applied, links that can be cut.

pub(crate) mod links;
pub(crate) mod machine;
pub(crate) mod replica;

pub(crate) use links::Links;
pub(crate) use machine::Journal;
pub(crate) use replica::Replica;

use bytes::Bytes;
use registry_consensus::{Payload, ReplicaId};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// Some election timeouts.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn word(text: &str) -> Payload {
    let mut bytes = vec![Payload::FIRST_FORMAT];
    bytes.extend(text.as_bytes());
    Payload::new(Bytes::from(bytes)).unwrap()
}

/// A cluster and the directory that it lives in.
pub(crate) struct Cluster {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) links: Arc<Links>,
    pub(crate) replicas: BTreeMap<u64, Replica>,
    shelves: BTreeMap<u64, machine::Shelf>,
}

impl Cluster {
    /// So many replicas, founded together.
    pub(crate) async fn found(count: u64) -> Self {
        let links = Links::new();
        let dir = tempfile::tempdir().unwrap();
        let mut cluster = Self { dir, links, replicas: BTreeMap::new(), shelves: BTreeMap::new() };
        for id in 1..=count {
            cluster.start(id).await;
        }
        let members = (1..=count).map(ReplicaId).collect();
        cluster.replicas[&1].consensus.found(&members).await.unwrap();
        cluster.leader().await;
        cluster
    }

    pub(crate) async fn start(&mut self, id: u64) {
        let shelf = self.shelves.entry(id).or_default().clone();
        let replica = Replica::start(id, self.dir.path(), &self.links, shelf).await;
        self.replicas.insert(id, replica);
    }

    /// As if the process were killed: nothing is finished, the links break.
    pub(crate) async fn kill(&mut self, id: u64) {
        let replica = self.replicas.remove(&id).unwrap();
        self.links.close(id);
        replica.drop_dead().await;
    }

    /// Waits until all that run agree on a leader that leads.
    pub(crate) async fn leader(&self) -> u64 {
        self.leader_since(0).await
    }

    /// The same of this term or a later one: whoever was replaced may not have heard of it yet.
    pub(crate) async fn leader_since(&self, term: u64) -> u64 {
        let deadline = tokio::time::Instant::now() + PATIENCE;
        loop {
            let standings: Vec<_> =
                self.replicas.values().map(|replica| replica.consensus.standing().borrow().clone()).collect();
            let leads = standings.iter().find(|standing| standing.leads());
            if let Some(leads) = leads
                && standings.iter().all(|s| s.leader == Some(leads.me) && s.term == leads.term)
                && leads.term >= term
            {
                return leads.me.0;
            }
            assert!(tokio::time::Instant::now() < deadline, "no leader: {standings:#?}");
            let mut changes: Vec<_> = self.replicas.values().map(|replica| replica.consensus.standing()).collect();
            let any = changes.iter_mut().map(|change| Box::pin(change.changed()));
            let _ = tokio::time::timeout(Duration::from_millis(20), futures::future::select_all(any)).await;
        }
    }

    pub(crate) fn replica(&self, id: u64) -> &Replica {
        &self.replicas[&id]
    }

    /// Waits until every replica has applied this many words.
    pub(crate) async fn all_have(&self, words: &[String]) {
        for replica in self.replicas.values() {
            replica.journal.wait_for(words).await;
        }
    }
}
