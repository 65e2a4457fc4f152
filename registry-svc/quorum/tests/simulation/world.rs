//! The virtual world: one queue of events in virtual time, everything random
//! from one seed. `conduct.rs` is the part that the service will have: it feeds
//! `Elections` and does what it wants.

use crate::checks::{Checks, Seen};
use crate::network::{MS, Micros, Network};
use crate::node::{Life, Message, Node};
use registry_quorum::elections::{HandOverEnd, Saw, Timing};
use registry_quorum::{Chance, ReplicaId, Voters};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};

/// openraft ticks at 1.5 times its heartbeat interval of 100 ms.
const HEARTBEAT: Micros = 150 * MS;
const REDIAL: Micros = 100 * MS;
const DIAL_GIVES_UP: Micros = 300 * MS;
const KEEPALIVE: Micros = 600 * MS;

#[derive(Clone, Debug)]
pub enum Event {
    /// `left`: when it was to leave the sender, after the flushes that go before it.
    Arrive {
        from: ReplicaId,
        from_boot: u64,
        left: Micros,
        to: ReplicaId,
        to_boot: u64,
        message: Message,
    },
    Tick {
        node: ReplicaId,
        boot: u64,
        tick: u64,
    },
    Heartbeat {
        node: ReplicaId,
        boot: u64,
    },
    Redialing {
        node: ReplicaId,
        boot: u64,
    },
    Dialed {
        node: ReplicaId,
        boot: u64,
        peer: ReplicaId,
    },
    Unanswered {
        node: ReplicaId,
        boot: u64,
        peer: ReplicaId,
    },
    Broken {
        node: ReplicaId,
        boot: u64,
        peer: ReplicaId,
    },
    Keepalive,
    Write,
    StillStalled {
        node: ReplicaId,
    },
}

pub struct World {
    pub now: Micros,
    pub chance: Chance,
    pub timing: Timing,
    pub nodes: BTreeMap<ReplicaId, Node>,
    pub net: Network,
    pub checks: Checks,
    pub seen: Seen,
    /// Tells what is seen and done, for a person.
    pub trace: bool,
    pub ends: Vec<HandOverEnd>,
    /// Between two writes of the clients; none: an idle cluster.
    pub writes: Option<Micros>,
    queue: BinaryHeap<Reverse<(Micros, u64, usize)>>,
    events: Vec<Option<Event>>,
    /// What waits for a node that does not run or does not flush.
    waiting: BTreeMap<ReplicaId, Vec<Event>>,
}

impl World {
    pub fn new(seed: u64, voters: &Voters) -> Self {
        let mut chance = Chance::new(seed);
        let timing = Timing::default();
        let mut world = Self {
            now: 0,
            timing,
            nodes: BTreeMap::new(),
            net: Network::calm(),
            checks: Checks::default(),
            seen: Seen::default(),
            trace: std::env::var_os("PM_SIM_TRACE").is_some(),
            ends: Vec::new(),
            writes: Some(40 * MS),
            queue: BinaryHeap::new(),
            events: Vec::new(),
            waiting: BTreeMap::new(),
            chance: Chance::new(chance.draw()),
        };
        for id in voters.all() {
            // Clocks that are hours apart and run up to 1 % wrong.
            let drift = chance.up_to(20_000) as i64 - 10_000;
            let offset = chance.up_to(100_000_000);
            world.nodes.insert(id, Node::new(id, voters.clone(), timing, chance.draw(), offset, drift));
        }
        let ids: Vec<ReplicaId> = world.nodes.keys().copied().collect();
        for id in ids {
            world.begin(id);
        }
        world.after(KEEPALIVE / 3, Event::Keepalive);
        world.after(MS, Event::Write);
        world
    }

    pub fn after(&mut self, delay: Micros, event: Event) {
        let number = self.events.len();
        self.events.push(Some(event));
        self.queue.push(Reverse((self.now + delay, number as u64, number)));
    }

    pub fn run(&mut self, ms: u64) {
        self.run_until(ms, |_| false);
    }

    /// The virtual milliseconds until `done`; none if it did not come in time.
    pub fn run_until(&mut self, ms: u64, done: impl Fn(&Self) -> bool) -> Option<u64> {
        let (begun, end) = (self.now, self.now + ms * MS);
        while !done(self) {
            let Some(Reverse((at, _, number))) = self.queue.peek().copied().filter(|next| next.0.0 <= end) else {
                self.now = end;
                return None;
            };
            self.queue.pop();
            self.now = at;
            if let Some(event) = self.events[number].take() {
                self.happen(event);
            }
        }
        Some((self.now - begun) / MS)
    }

    /// The replica that serves and whose newest entry a majority has.
    pub fn leader(&self) -> Option<ReplicaId> {
        let top = self.nodes.values().map(|node| node.raft.vote.term).max();
        let led = |node: &&Node| node.serves() && Some(node.raft.vote.term) == top;
        let ready = |node: &&Node| node.raft.commit > 0 && node.raft.log[node.raft.commit - 1] == node.raft.vote.term;
        self.nodes.values().filter(led).find(ready).map(|node| node.id)
    }

    pub fn term(&self) -> u64 {
        self.nodes.values().map(|node| node.raft.vote.term).max().unwrap_or(0)
    }

    fn happen(&mut self, event: Event) {
        let (id, boot) = match &event {
            Event::Keepalive => return self.keepalive(),
            Event::Write => return self.write(),
            Event::StillStalled { node } => {
                if self.nodes[node].stalled {
                    self.see(*node, Saw::DiskStalled(true));
                }
                return;
            }
            Event::Arrive { to, to_boot, .. } => (*to, *to_boot),
            Event::Tick { node, boot, .. }
            | Event::Heartbeat { node, boot }
            | Event::Redialing { node, boot }
            | Event::Dialed { node, boot, .. }
            | Event::Unanswered { node, boot, .. }
            | Event::Broken { node, boot, .. } => (*node, *boot),
        };
        let node = &self.nodes[&id];
        if node.boot != boot || matches!(node.life, Life::Killed | Life::Gone) {
            return;
        }
        if node.life == Life::Paused {
            self.waiting.entry(id).or_default().push(event);
            return;
        }
        match event {
            Event::Arrive { from, from_boot, left, message, .. } => {
                let sender = &self.nodes[&from];
                let lived = sender.boot == from_boot && matches!(sender.life, Life::Runs | Life::Paused);
                if lived || left <= sender.ended {
                    self.arrive(from, from_boot, id, boot, message);
                }
            }
            Event::Tick { tick, .. } => {
                if self.nodes[&id].tick == tick {
                    self.see(id, Saw::Tick);
                }
            }
            Event::Heartbeat { .. } => {
                if self.nodes[&id].serves() {
                    self.raft(id, |raft, now| raft.replicate(now));
                }
                self.after(HEARTBEAT, Event::Heartbeat { node: id, boot });
            }
            Event::Redialing { .. } => {
                let down = self.peers(id).into_iter().filter(|peer| !self.nodes[&id].links.contains(peer));
                for peer in down.collect::<Vec<_>>() {
                    self.dial(id, peer);
                }
                let pause = REDIAL + self.chance.up_to(REDIAL);
                self.after(pause, Event::Redialing { node: id, boot });
            }
            Event::Dialed { peer, .. } => self.dialed(id, peer),
            Event::Unanswered { peer, .. } => {
                if !self.nodes[&id].links.contains(&peer) {
                    self.see(id, Saw::LinkDown { peer, refused: false });
                }
            }
            Event::Broken { peer, .. } => self.broken(id, peer),
            Event::Keepalive | Event::Write | Event::StillStalled { .. } => {}
        }
    }

    pub fn peers(&self, id: ReplicaId) -> Vec<ReplicaId> {
        self.nodes.keys().copied().filter(|peer| *peer != id).collect()
    }

    /// The events of a process that starts.
    pub fn begin(&mut self, id: ReplicaId) {
        let boot = self.nodes[&id].boot;
        let delay = self.chance.up_to(HEARTBEAT);
        self.after(delay, Event::Heartbeat { node: id, boot });
        self.after(0, Event::Redialing { node: id, boot });
        self.see(id, Saw::Tick);
    }

    /// What waited for a node that runs, or flushes, again.
    pub fn deliver_waiting(&mut self, id: ReplicaId) {
        for event in self.waiting.remove(&id).unwrap_or_default() {
            self.after(0, event);
        }
    }

    pub fn forget_waiting(&mut self, id: ReplicaId) {
        self.waiting.remove(&id);
    }

    pub fn wait(&mut self, id: ReplicaId, event: Event) {
        self.waiting.entry(id).or_default().push(event);
    }

    pub fn dial(&mut self, id: ReplicaId, peer: ReplicaId) {
        let boot = self.nodes[&id].boot;
        let round = 2 * (self.net.delay + self.chance.up_to(self.net.jitter));
        let answers = self.net.connected(id, peer) && matches!(self.nodes[&peer].life, Life::Runs | Life::Killed);
        let lost = self.chance.up_to(99) < self.net.loss;
        if answers && !lost && round < DIAL_GIVES_UP {
            self.after(round, Event::Dialed { node: id, boot, peer });
        } else {
            self.after(DIAL_GIVES_UP, Event::Unanswered { node: id, boot, peer });
        }
    }

    fn dialed(&mut self, id: ReplicaId, peer: ReplicaId) {
        match self.nodes[&peer].life {
            Life::Runs => {
                for (one, other) in [(id, peer), (peer, id)] {
                    let boot = self.nodes[&other].boot;
                    if let Some(node) = self.nodes.get_mut(&one) {
                        node.links.insert(other);
                    }
                    self.see(one, Saw::LinkUp { peer: other, boot });
                }
            }
            Life::Killed => {
                self.seen.note("dials refused");
                self.see(id, Saw::LinkDown { peer, refused: true });
            }
            Life::Paused | Life::Gone => {}
        }
    }

    pub fn broken(&mut self, id: ReplicaId, peer: ReplicaId) {
        if self.nodes.get_mut(&id).is_some_and(|node| node.links.remove(&peer)) {
            self.see(id, Saw::LinkDown { peer, refused: false });
        }
    }

    /// A link that carries nothing for a while is broken, at both ends.
    fn keepalive(&mut self) {
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            for peer in self.nodes[&id].links.clone() {
                let other = &self.nodes[&peer];
                let mute = matches!(other.life, Life::Gone | Life::Paused)
                    && other.ill.is_some_and(|since| self.now - since > KEEPALIVE);
                let half_open = other.runs() && !other.links.contains(&id);
                let cut = self.net.cut_for(id, peer, self.now) > KEEPALIVE;
                if self.nodes[&id].runs() && (cut || mute || half_open) {
                    self.broken(id, peer);
                }
            }
        }
        self.after(KEEPALIVE / 3, Event::Keepalive);
    }

    fn write(&mut self) {
        if let Some(pause) = self.writes {
            for id in self.nodes.keys().copied().collect::<Vec<_>>() {
                let node = &self.nodes[&id];
                if node.serves() && !node.holding && !node.full {
                    self.raft(id, |raft, now| raft.write(now));
                }
            }
            let pause = pause / 2 + self.chance.up_to(pause);
            self.after(pause, Event::Write);
        } else {
            self.after(100 * MS, Event::Write);
        }
    }
}
