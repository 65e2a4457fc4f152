//! Links in memory: a replica that is closed refuses dials like a host whose process is gone.

use futures::FutureExt as _;
use futures::future::BoxFuture;
use registry_consensus::{Answer, Call, Consensus, Door, LinkEvent, Note, PeerFault, Peers, ReplicaId, Snapshot, Vote};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;

#[derive(Default)]
pub(crate) struct Links {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    doors: BTreeMap<u64, Consensus>,
    boots: BTreeMap<u64, u64>,
    ears: BTreeMap<u64, mpsc::UnboundedSender<LinkEvent>>,
    wanted: BTreeMap<u64, BTreeSet<u64>>,
}

impl Inner {
    fn tell(&self, who: u64, event: LinkEvent) {
        if let Some(ear) = self.ears.get(&who) {
            let _ = ear.send(event);
        }
    }

    fn up(&self, from: u64, to: u64) -> bool {
        self.doors.contains_key(&to) && self.doors.contains_key(&from)
    }
}

impl Links {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    pub(crate) fn peers(self: &Arc<Self>, me: u64) -> Arc<Way> {
        Arc::new(Way { links: self.clone(), me })
    }

    /// The replica answers from now on.
    pub(crate) fn open(&self, id: u64, door: Consensus) {
        let mut inner = self.inner.lock().unwrap();
        inner.doors.insert(id, door);
        *inner.boots.entry(id).or_default() += 1;
        let boots = inner.boots.clone();
        for other in inner.doors.keys().copied().filter(|other| *other != id).collect::<Vec<_>>() {
            inner.tell(other, LinkEvent::Up { peer: ReplicaId(id), boot: boots[&id] });
            inner.tell(id, LinkEvent::Up { peer: ReplicaId(other), boot: boots[&other] });
        }
    }

    /// Its process is gone.
    pub(crate) fn close(&self, id: u64) {
        let mut inner = self.inner.lock().unwrap();
        inner.doors.remove(&id);
        inner.ears.remove(&id);
        for other in inner.doors.keys().copied().collect::<Vec<_>>() {
            inner.tell(other, LinkEvent::Down { peer: ReplicaId(id), refused: false });
        }
    }

    fn door(&self, from: u64, to: ReplicaId) -> Result<Consensus, PeerFault> {
        let inner = self.inner.lock().unwrap();
        let door = inner.doors.get(&to.0).filter(|_| inner.up(from, to.0));
        door.cloned().ok_or(PeerFault::Unreachable(to))
    }
}

pub(crate) struct Way {
    links: Arc<Links>,
    me: u64,
}

impl Peers for Way {
    fn call(&self, to: ReplicaId, call: Call) -> BoxFuture<'static, Result<Answer, PeerFault>> {
        let (links, me) = (self.links.clone(), self.me);
        let answer = links.door(me, to).map(|door| door.call(ReplicaId(me), call));
        async move {
            let answer = answer?.await;
            // The answer has a way to go, too.
            links.door(to.0, ReplicaId(me)).map(|_| answer).map_err(|_| PeerFault::Unreachable(to))
        }
        .boxed()
    }

    fn note(&self, to: ReplicaId, note: Note) {
        if let Ok(door) = self.links.door(self.me, to) {
            door.note(ReplicaId(self.me), note);
        }
    }

    fn send_snapshot(
        &self,
        to: ReplicaId,
        vote: Vote,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<Vote, PeerFault>> {
        let (links, me) = (self.links.clone(), self.me);
        async move {
            let door = links.door(me, to)?;
            let sink = door.begin_snapshot(ReplicaId(me), vote, &snapshot.meta, snapshot.source.len()).unwrap();
            let mut sink = match sink {
                Ok(sink) => sink,
                Err(vote) => return Ok(vote),
            };
            sink.append(&snapshot.source.read_at(sink.offset(), usize::MAX / 2).unwrap()).unwrap();
            Ok(door.end_snapshot(ReplicaId(me), vote, sink.finish().unwrap()).await)
        }
        .boxed()
    }

    fn redial(&self, to: ReplicaId) {
        let inner = self.links.inner.lock().unwrap();
        if !inner.doors.contains_key(&to.0) {
            inner.tell(self.me, LinkEvent::Down { peer: to, refused: true });
        }
    }

    fn set_members(&self, members: &[ReplicaId]) {
        let mut inner = self.links.inner.lock().unwrap();
        let members: BTreeSet<u64> = members.iter().map(|id| id.0).collect();
        inner.wanted.insert(self.me, members);
    }

    fn events(&self) -> mpsc::UnboundedReceiver<LinkEvent> {
        let (ear, events) = mpsc::unbounded_channel();
        self.links.inner.lock().unwrap().ears.insert(self.me, ear);
        events
    }
}
