//! What goes wrong: each fault as a verb, and a storm of them from the seed.

use crate::network::MS;
use crate::node::Life;
use crate::world::{Event, World};
use registry_quorum::ReplicaId;
use registry_quorum::elections::Saw;
use std::collections::BTreeSet;

impl World {
    /// `kill -9`: its host resets the connections and refuses new ones.
    pub fn kill(&mut self, id: ReplicaId) {
        self.seen.note("killed");
        self.end(id, Life::Killed);
        for peer in self.peers(id) {
            if self.net.connected(id, peer) && self.nodes[&peer].links.contains(&id) {
                let boot = self.nodes[&peer].boot;
                self.after(self.net.delay, Event::Broken { node: peer, boot, peer: id });
            }
        }
    }

    /// The whole host is gone.
    pub fn lose_host(&mut self, id: ReplicaId) {
        self.seen.note("hosts lost");
        self.end(id, Life::Gone);
    }

    fn end(&mut self, id: ReplicaId, life: Life) {
        let now = self.now;
        self.forget_waiting(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.life = life;
            node.ended = now;
            node.stalled = false;
            node.full = false;
            node.falls_ill(now);
        }
    }

    pub fn restart(&mut self, id: ReplicaId) {
        self.seen.note("restarted");
        let (now, timing) = (self.now, self.timing);
        let peers = self.peers(id);
        if let Some(node) = self.nodes.get_mut(&id) {
            node.recovers(now);
            node.begin(timing, now);
        }
        // Whoever still holds a connection with the process before it hears of its end now.
        for peer in peers {
            if self.nodes[&peer].runs() && self.net.connected(id, peer) {
                self.broken(peer, id);
            }
        }
        self.begin(id);
    }

    /// SIGSTOP.
    pub fn pause(&mut self, id: ReplicaId) {
        self.seen.note("paused");
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.life = Life::Paused;
            node.falls_ill(now);
        }
    }

    /// SIGCONT: its own clock strikes before anything else is read.
    pub fn resume(&mut self, id: ReplicaId) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.life = Life::Runs;
            node.recovers(now);
        }
        self.see(id, Saw::Tick);
        self.deliver_waiting(id);
    }

    pub fn stall(&mut self, id: ReplicaId) {
        self.seen.note("disk stalled");
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.stalled = true;
            node.falls_ill(now);
        }
        self.after(self.timing.silence * MS, Event::StillStalled { node: id });
    }

    pub fn unstall(&mut self, id: ReplicaId) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.stalled = false;
            node.recovers(now);
        }
        self.see(id, Saw::DiskStalled(false));
        self.deliver_waiting(id);
    }

    pub fn fill(&mut self, id: ReplicaId, full: bool) {
        let now = self.now;
        if let Some(node) = self.nodes.get_mut(&id) {
            node.full = full;
            if full {
                node.falls_ill(now);
            } else {
                node.recovers(now);
            }
        }
        if full {
            self.seen.note("disk full");
        }
        self.see(id, Saw::DiskFull(full));
    }

    /// Everything works again.
    pub fn calm(&mut self) {
        let now = self.now;
        self.net.heal(now);
        self.net.calm_down(now);
        for id in self.nodes.keys().copied().collect::<Vec<_>>() {
            match self.nodes[&id].life {
                Life::Runs => {}
                Life::Paused => self.resume(id),
                Life::Killed | Life::Gone => self.restart(id),
            }
            if self.nodes[&id].stalled {
                self.unstall(id);
            }
            if self.nodes[&id].full {
                self.fill(id, false);
            }
        }
    }

    /// One random thing goes wrong, or is mended.
    pub fn misfortune(&mut self) {
        let ids: Vec<ReplicaId> = self.nodes.keys().copied().collect();
        let id = ids[self.chance.up_to(ids.len() as u64 - 1) as usize];
        // Half of what happens to one happens to the leader.
        let id = if self.chance.up_to(1) == 0 { self.leader().unwrap_or(id) } else { id };
        self.misfortune_of(id, true);
    }

    /// Something random happens to this one, or, `anywhere`, to the network that all share.
    pub fn misfortune_of(&mut self, id: ReplicaId, anywhere: bool) {
        let now = self.now;
        let ids: Vec<ReplicaId> = self.nodes.keys().copied().collect();
        let others: BTreeSet<ReplicaId> = self.peers(id).into_iter().collect();
        let kinds = if anywhere { 17 } else { 11 };
        match (self.nodes[&id].life, self.chance.up_to(kinds)) {
            (Life::Paused, _) => self.resume(id),
            (Life::Killed | Life::Gone, _) => self.restart(id),
            (Life::Runs, 0..=2) => self.kill(id),
            (Life::Runs, 3) => self.lose_host(id),
            (Life::Runs, 4) => self.pause(id),
            (Life::Runs, 5) if self.nodes[&id].stalled => self.unstall(id),
            (Life::Runs, 5) => self.stall(id),
            (Life::Runs, 6) => self.fill(id, !self.nodes[&id].full),
            (Life::Runs, 7) => {
                self.seen.note("isolated");
                self.net.cut(&BTreeSet::from([id]), &others, now);
            }
            (Life::Runs, 8) => {
                self.seen.note("deaf");
                others.iter().for_each(|peer| self.net.block(*peer, id, now));
            }
            (Life::Runs, 9) => {
                self.seen.note("mute");
                others.iter().for_each(|peer| self.net.block(id, *peer, now));
            }
            (Life::Runs, 10) => {
                self.seen.note("one pair cut");
                let peer = *others.iter().nth(self.chance.up_to(others.len() as u64 - 1) as usize).unwrap_or(&id);
                self.net.cut(&BTreeSet::from([id]), &BTreeSet::from([peer]), now);
            }
            (Life::Runs, 11) => self.net.heal(now),
            (Life::Runs, 12) => {
                self.seen.note("split");
                let some: BTreeSet<ReplicaId> = ids.iter().copied().filter(|_| self.chance.up_to(1) == 0).collect();
                let rest = ids.iter().copied().filter(|id| !some.contains(id)).collect();
                self.net.cut(&some, &rest, now);
            }
            (Life::Runs, 13) => {
                self.seen.note("rough");
                let (delay, loss) = (self.chance.up_to(60) * MS, self.chance.up_to(30));
                self.net.rough(delay + MS, delay + MS, loss, 20);
            }
            (Life::Runs, 14) => self.net.calm_down(now),
            (Life::Runs, 15) => self.net.heal(now),
            (Life::Runs, _) => {
                if let Some(leader) = self.leader() {
                    self.seen.note("hand-over asked");
                    let to = (self.chance.up_to(1) == 0).then_some(id);
                    self.see(leader, Saw::HandOverAsked { to });
                }
            }
        }
    }
}
