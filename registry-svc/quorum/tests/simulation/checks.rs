//! What must hold after each step of the simulation, whatever was injected, and
//! what the run has seen: a run in which the faults did not happen proves
//! nothing.

use crate::network::{MS, Micros, Network};
use crate::node::Node;
use registry_quorum::ReplicaId;
use registry_quorum::elections::Timing;
use std::collections::BTreeMap;

#[derive(Debug, Default)]
pub struct Seen {
    pub counts: BTreeMap<&'static str, u64>,
}

impl Seen {
    pub fn note(&mut self, what: &'static str) {
        *self.counts.entry(what).or_default() += 1;
    }

    pub fn count(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    pub fn add(&mut self, other: &Self) {
        for (what, count) in &other.counts {
            *self.counts.entry(what).or_default() += count;
        }
    }
}

#[derive(Debug, Default)]
pub struct Checks {
    leaders: BTreeMap<u64, ReplicaId>,
    terms: BTreeMap<ReplicaId, u64>,
    /// Index and term of the last entry that a majority has.
    committed: (usize, u64),
}

impl Checks {
    /// After anything that a node did.
    pub fn node(&mut self, node: &Node) {
        let id = node.id;
        let term = node.raft.vote.term;
        let known = self.terms.entry(id).or_default();
        assert!(term >= *known, "the term of replica {id} fell from {known} to {term}");
        *known = term;
        if !node.leads() {
            return;
        }
        let leader = *self.leaders.entry(term).or_insert(id);
        assert_eq!(leader, id, "two leaders of term {term}");
        let (index, of_term) = self.committed;
        let log = &node.raft.log;
        let has = index == 0 || log.get(index - 1) == Some(&of_term);
        assert!(has || node.raft.commit < index && term < of_term, "leader {id} of term {term} lacks entry {index}");
        if node.raft.commit > index {
            self.committed = (node.raft.commit, log[node.raft.commit - 1]);
        }
    }

    /// A node decided to stand, without the leader's wish.
    pub fn stands(&self, node: &Node, nodes: &BTreeMap<ReplicaId, Node>, net: &Network, timing: Timing, now: Micros) {
        // A grant may be used for `grant`, and the lease is waited for; clocks run 1 % apart.
        let lately = (timing.grant + timing.lease + timing.margin) * MS * 102 / 100 + MS;
        let suspects = |id| nodes[&id].suspected.is_some_and(|at| now - at <= lately);
        assert!(node.raft.voters.majority(suspects), "replica {} stands without a majority that suspects", node.id);

        let calm = (timing.silence + timing.grant + timing.lease) * MS * 102 / 100 + 50 * MS;
        let well = |id: &ReplicaId| nodes[id].well_for(now) > calm;
        let top = nodes.values().filter(|it| it.runs()).map(|it| it.raft.vote.term).max();
        for leader in nodes.values().filter(|it| it.serves() && well(&it.id) && Some(it.raft.vote.term) == top) {
            let settled = leader.led_since.is_some_and(|since| now - since > calm);
            let follows = |id| id == leader.id || (well(&id) && net.well_for(id, leader.id, now) > calm);
            let reaches = settled && leader.raft.voters.majority(follows);
            assert!(!reaches, "replica {} disturbs the healthy leader {}", node.id, leader.id);
        }
    }
}
