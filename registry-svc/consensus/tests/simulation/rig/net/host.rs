//! A host: the replica that runs there, if one does.

use super::Net;
use crate::rig::SimDisk;
use registry_consensus::{Door, LinkEvent, ReplicaId};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

pub(super) struct Host {
    /// Which start of the process; grows.
    pub(super) life: u64,
    /// The process is there. Until its door is open it refuses dials.
    pub(super) runs: bool,
    pub(super) door: Option<Arc<dyn Door>>,
    pub(super) disk: Arc<SimDisk>,
    /// Who listens to what happens to the links.
    pub(super) ear: Option<mpsc::UnboundedSender<LinkEvent>>,
    /// No current: dials are not even refused.
    pub(super) dark: bool,
    /// A snapshot that is being received.
    pub(super) receiving: Option<(u64, CancellationToken)>,
}

impl Net {
    /// A process begins; nobody gets in yet.
    pub(crate) fn boots(&self, id: u64, life: u64, disk: Arc<SimDisk>) {
        let host = Host { life, runs: true, door: None, disk, ear: None, dark: false, receiving: None };
        self.lock().hosts.insert(id, host);
    }

    /// It answers from now on.
    pub(crate) fn opens(&self, id: u64, life: u64, door: Arc<dyn Door>) {
        if let Some(host) = self.lock().hosts.get_mut(&id).filter(|host| host.life == life && host.runs) {
            host.door = Some(door);
        }
    }

    /// Its process is gone, or its whole host.
    pub(crate) fn ends(&self, id: u64, dark: bool) {
        let mut inner = self.lock();
        if let Some(host) = inner.hosts.get_mut(&id) {
            (host.runs, host.door, host.ear, host.dark) = (false, None, None, dark);
        }
        let mut fallen = Vec::new();
        for ((from, to), line) in &mut inner.lines {
            if *from == id {
                line.end();
            } else if *to == id && !dark {
                // The system resets the connections of a process that is gone; a dark host says nothing.
                fallen.extend(line.lane.clone());
            }
        }
        inner.lines.retain(|(from, _), _| *from != id);
        drop(inner);
        for lane in fallen {
            lane.close();
        }
    }

    pub(super) fn tell(&self, who: u64, life: u64, event: LinkEvent) {
        let inner = self.lock();
        let host = inner.hosts.get(&who).filter(|host| host.life == life);
        if let Some(ear) = host.and_then(|host| host.ear.as_ref()) {
            inner.oracle.note(|| format!("{who} sees {event:?}"));
            // It may be ending.
            let _ = ear.send(event);
        }
    }

    pub(super) fn up(&self, who: u64, life: u64, peer: u64, boot: u64) {
        self.tell(who, life, LinkEvent::Up { peer: ReplicaId(peer), boot });
    }

    pub(super) fn down(&self, who: u64, life: u64, peer: u64, refused: bool) {
        self.tell(who, life, LinkEvent::Down { peer: ReplicaId(peer), refused });
    }
}
