//! The port: the way of one life of a replica to the others.

use super::Net;
use crate::rig::SimDisk;
use futures::FutureExt as _;
use futures::future::{BoxFuture, ready};
use registry_consensus::{Answer, Call, LinkEvent, Note, PeerFault, Peers, ReplicaId, Snapshot, Vote};
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::mpsc;

pub(crate) struct Way {
    pub(crate) net: Net,
    pub(crate) me: u64,
    pub(crate) life: u64,
    pub(crate) disk: Arc<SimDisk>,
}

impl Peers for Way {
    fn call(&self, to: ReplicaId, call: Call) -> BoxFuture<'static, Result<Answer, PeerFault>> {
        let unreachable = PeerFault::Unreachable(to);
        let Some(lane) = self.net.lane(self.me, self.life, to.0) else { return ready(Err(unreachable)).boxed() };
        self.net.lock().oracle.clone().asks(self.me, &call, &self.disk);
        match lane.ask(call) {
            Ok(answer) => async move { answer.await.map_err(|_closed| unreachable) }.boxed(),
            Err(fault) => ready(Err(fault)).boxed(),
        }
    }

    fn note(&self, to: ReplicaId, note: Note) {
        if let Some(lane) = self.net.lane(self.me, self.life, to.0) {
            lane.note(note);
        }
    }

    fn send_snapshot(
        &self,
        to: ReplicaId,
        vote: Vote,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<Vote, PeerFault>> {
        match self.net.lane(self.me, self.life, to.0) {
            Some(lane) => lane.send_snapshot(vote, snapshot).boxed(),
            None => ready(Err(PeerFault::Unreachable(to))).boxed(),
        }
    }

    fn redial(&self, to: ReplicaId) {
        let inner = self.net.lock();
        if let Some(line) = inner.lines.get(&(self.me, to.0)).filter(|line| line.lane.is_none()) {
            line.wake.notify_one();
        }
    }

    fn set_members(&self, members: &[ReplicaId]) {
        let members: BTreeSet<u64> = members.iter().map(|id| id.0).filter(|id| *id != self.me).collect();
        let mut inner = self.net.lock();
        if inner.hosts.get(&self.me).is_none_or(|host| host.life != self.life || !host.runs) {
            return;
        }
        inner.lines.retain(|(from, to), line| {
            let stays = *from != self.me || members.contains(to);
            if !stays {
                line.end();
            }
            stays
        });
        let known: BTreeSet<u64> = inner.lines.keys().filter(|(from, _)| *from == self.me).map(|(_, to)| *to).collect();
        drop(inner);
        for to in members.difference(&known) {
            self.net.keep(self.me, self.life, *to);
        }
    }

    fn events(&self) -> mpsc::UnboundedReceiver<LinkEvent> {
        let (ear, events) = mpsc::unbounded_channel();
        let mut inner = self.net.lock();
        if let Some(host) = inner.hosts.get_mut(&self.me).filter(|host| host.life == self.life) {
            host.ear = Some(ear);
        }
        events
    }
}
