//! What the service does around `Elections`: it tells what was seen, does what
//! is wanted, and keeps the Raft library's view in step.

use crate::network::{MS, Micros};
use crate::node::{Message, Node};
use crate::raft::{Outbox, Raft};
use crate::world::{Event, World};
use registry_quorum::elections::{Do, Mandate, Saw};
use registry_quorum::{Millis, ReplicaId};
use std::collections::{BTreeSet, VecDeque};

impl World {
    /// Tells a node's elections, and does what they want until they want nothing more.
    pub fn see(&mut self, id: ReplicaId, saw: Saw) {
        let mut saws = VecDeque::from([saw]);
        while let Some(saw) = saws.pop_front() {
            let Some(node) = self.nodes.get_mut(&id) else { return };
            let at = node.clock(self.now);
            let wanted = node.elections.step(saw.clone(), at);
            let again = node.elections.step(Saw::Tick, at);
            assert_eq!(again, [], "a step that is repeated does something: {saw:?} {wanted:?}");
            // It may have suspected until this very step, in which a leader was heard.
            if node.elections.suspects(at).is_some() {
                node.suspected = Some(self.now);
            }
            if self.trace
                && (!wanted.is_empty() || !matches!(saw, Saw::Tick | Saw::Heard { .. } | Saw::QuorumAcked { .. }))
            {
                println!("{:>6} ms, replica {id}: {saw:?} -> {wanted:?}", self.now / MS);
            }
            for action in wanted {
                self.act(id, action);
            }
            self.learn(id, &mut saws);
        }
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.led_since = node.serves().then(|| node.led_since.unwrap_or(self.now));
        self.checks.node(node);
        let Some(deadline) = node.elections.next_deadline() else { return };
        let at = node.clock(self.now);
        // Nothing is missed by sleeping until then; looked at now and then, as the copy costs time.
        if node.tick.is_multiple_of(8) && deadline > at.plus(1) {
            let wanted = node.elections.clone().step(Saw::Tick, Millis(deadline.0 - 1));
            assert_eq!(wanted, [], "something was due before {deadline:?}");
        }
        assert!(deadline > at, "the next look lies in the past: {deadline:?} at {at:?}");
        node.tick += 1;
        let (boot, tick) = (node.boot, node.tick);
        let delay = node.real(deadline).saturating_sub(self.now).max(MS / 2);
        self.after(delay, Event::Tick { node: id, boot, tick });
    }

    /// The Raft library's view, when it changed.
    fn learn(&mut self, id: ReplicaId, saws: &mut VecDeque<Saw>) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.has_news() {
            let standing = node.standing();
            if standing.leader == Some(id) && node.told.leader != Some(id) {
                self.seen.note("leaders elected");
            }
            node.told = standing.clone();
            saws.push_back(Saw::Standing(standing));
        }
    }

    /// Lets the Raft library do something; what it writes is on the disk before anything leaves.
    pub fn raft(&mut self, id: ReplicaId, work: impl FnOnce(&mut Raft, Millis) -> Outbox) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let at = node.clock(self.now);
        let was = node.leads();
        let outbox = work(&mut node.raft, at);
        let fsync = if outbox.is_empty() { 0 } else { node.fsync };
        // A candidate that wins has written its vote and the blank entry before.
        let fsync = if !was && node.leads() { 2 * fsync } else { fsync };
        for (to, rpc) in outbox {
            self.send(id, to, Message::Rpc(rpc), fsync);
        }
        let acked = self.nodes[&id].raft.quorum_acked();
        let saw = acked.map_or(Saw::Tick, |sent| Saw::QuorumAcked { sent });
        self.see(id, saw);
    }

    pub fn send(&mut self, from: ReplicaId, to: ReplicaId, message: Message, later: Micros) {
        if !self.nodes[&from].links.contains(&to) {
            return;
        }
        let (from_boot, to_boot) = (self.nodes[&from].boot, self.nodes[&to].boot);
        for delay in self.net.carry(from, to, &mut self.chance) {
            let message = message.clone();
            let left = self.now + later;
            self.after(later + delay, Event::Arrive { from, from_boot, left, to, to_boot, message });
        }
    }

    pub fn arrive(&mut self, from: ReplicaId, from_boot: u64, id: ReplicaId, boot: u64, message: Message) {
        if self.nodes[&from].boot != from_boot && self.nodes[&id].links.contains(&from) {
            // The link is one with the next process of the peer; its past is refused by its boot.
            return;
        }
        match message {
            Message::Rpc(rpc) => {
                let node = &self.nodes[&id];
                let writes = matches!(&rpc, crate::raft::Rpc::Vote { .. })
                    || matches!(&rpc, crate::raft::Rpc::Append { log, .. } if (log.len(), log.last()) != (node.raft.log.len(), node.raft.log.last()));
                if node.stalled {
                    // openraft's core waits for the flush and takes nothing up meanwhile.
                    let (left, message) = (0, Message::Rpc(rpc));
                    self.wait(id, Event::Arrive { from, from_boot, left, to: id, to_boot: boot, message });
                    return;
                }
                if node.full && writes {
                    return;
                }
                self.raft(id, |raft, now| raft.receive(from, rpc.clone(), now));
                // The leader's append was taken if its vote is ours now.
                if let crate::raft::Rpc::Append { vote, .. } = rpc
                    && self.nodes[&id].raft.vote == vote
                {
                    self.see(id, Saw::Heard { from, term: vote.term });
                }
            }
            Message::PreVote(ballot) => self.see(id, Saw::PreVoteAsked { from, ballot }),
            Message::Opinion(opinion) => self.see(id, Saw::PreVoteAnswered { from, opinion }),
            Message::Resigned { term } => self.see(id, Saw::Resigned { from, term }),
            Message::Confirm { term, sent } => {
                let vote = self.nodes[&id].raft.vote;
                let yes = vote.committed && vote.term == term && vote.whose == Some(from);
                let answer = if yes { Message::Confirmed { term, sent } } else { Message::Denied { term: vote.term } };
                self.send(id, from, answer, 0);
            }
            Message::Confirmed { term, sent } => self.confirmed(from, id, term, sent),
            Message::Denied { term } => self.see(id, Saw::TermSeen(term)),
            Message::TakeOver { term, last } => self.see(id, Saw::TakeOverAsked { from, term, last }),
            Message::NoTakeOver => self.see(id, Saw::TakeOverRefused { from }),
        }
    }

    fn confirmed(&mut self, from: ReplicaId, id: ReplicaId, term: u64, sent: Millis) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        if node.raft.vote.term != term || node.confirmed.0 != sent {
            return;
        }
        node.confirmed.1.insert(from);
        if node.raft.voters.majority(|voter| voter == id || node.confirmed.1.contains(&voter)) {
            self.see(id, Saw::QuorumAcked { sent });
        }
    }

    fn tell_all(&mut self, id: ReplicaId, message: &Message) {
        for to in self.peers(id) {
            self.send(id, to, message.clone(), 0);
        }
    }

    fn act(&mut self, id: ReplicaId, action: Do) {
        match action {
            Do::Redial(peer) => self.dial(id, peer),
            Do::AskPreVote(ballot) => self.tell_all(id, &Message::PreVote(ballot)),
            Do::AnswerPreVote { to, opinion } => self.send(id, to, Message::Opinion(opinion), 0),
            Do::Stand(mandate) => self.stand(id, mandate),
            Do::Suspend(why) => {
                self.seen.note(match why {
                    registry_quorum::elections::Why::NoQuorum => "suspended without a quorum",
                    registry_quorum::elections::Why::DiskStalled => "suspended with a stalled disk",
                    registry_quorum::elections::Why::DiskFull => "suspended with a full disk",
                });
            }
            Do::Resign { term } => self.tell_all(id, &Message::Resigned { term }),
            Do::Resume => {
                let kept = self.nodes[&id].leads();
                self.seen.note(if kept { "resumed the same term" } else { "resumed, superseded" });
            }
            Do::Confirm { term } => {
                let sent = self.nodes[&id].clock(self.now);
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.confirmed = (sent, BTreeSet::new());
                }
                self.tell_all(id, &Message::Confirm { term, sent });
            }
            Do::HoldProposals => self.hold(id, true),
            Do::SendTakeOver { to, term, last } => self.send(id, to, Message::TakeOver { term, last }, 0),
            Do::RefuseTakeOver { to } => self.send(id, to, Message::NoTakeOver, 0),
            Do::HandOverEnded(end) => {
                self.ends.push(end);
                self.hold(id, false);
            }
        }
    }

    fn hold(&mut self, id: ReplicaId, holding: bool) {
        if let Some(node) = self.nodes.get_mut(&id) {
            node.holding = holding;
        }
    }

    fn stand(&mut self, id: ReplicaId, mandate: Mandate) {
        let node: &Node = &self.nodes[&id];
        let past_leases = match mandate {
            Mandate::Majority => {
                self.seen.note("stood");
                self.checks.stands(node, &self.nodes, &self.net, self.timing, self.now);
                false
            }
            Mandate::Leader { past_leases } => {
                self.seen.note("stood by the leader's wish");
                past_leases
            }
        };
        if node.stalled || node.full {
            // The core does not take it up now, and later it would be out of date.
            return;
        }
        let Some(node) = self.nodes.get_mut(&id) else { return };
        let at = node.clock(self.now);
        let outbox = node.raft.elect(past_leases, at);
        let fsync = node.fsync;
        for (to, rpc) in outbox {
            self.send(id, to, Message::Rpc(rpc), fsync);
        }
    }
}
