//! What is known of one peer: whether a link to it stands, and which.

use super::greet::Client;
use super::lane::Lane;
use registry_consensus::{LinkEvent, PeerFault, ReplicaId};
use service_host::client::ServiceChannel;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use tokio::sync::{Notify, Semaphore};
use tokio_util::sync::CancellationToken;

/// One peer.
pub(super) struct Peer {
    pub(super) id: ReplicaId,
    link: Mutex<Link>,
    /// Wakes whoever waits before it dials again.
    pub(super) wake: Notify,
    /// It gave a sign of life: earlier failures say nothing any more.
    alive: AtomicBool,
    /// Cancelled when it is no member any more.
    pub(super) stop: CancellationToken,
    /// One transfer of a snapshot at a time.
    pub(super) transfer: Semaphore,
}

enum Link {
    Down,
    /// Down, because one of the two ends turned the other away.
    Refused(String),
    Up(Box<Up>),
}

/// A link that stands.
#[derive(Clone)]
pub(super) struct Up {
    pub(super) lane: Arc<Lane>,
    pub(super) client: Client,
    pub(super) channel: ServiceChannel,
    pub(super) boot: u64,
}

impl Peer {
    pub(super) fn new(id: ReplicaId, stop: CancellationToken) -> Self {
        let (link, wake, transfer) = (Mutex::new(Link::Down), Notify::new(), Semaphore::new(1));
        Self { id, link, wake, alive: AtomicBool::new(false), stop, transfer }
    }

    /// The way to it.
    pub(super) fn lane(&self) -> Result<Arc<Lane>, PeerFault> {
        self.with_link(|up| up.lane.clone())
    }

    /// The way to it, and the connection under it.
    pub(super) fn up(&self) -> Result<Up, PeerFault> {
        self.with_link(Up::clone)
    }

    fn with_link<T>(&self, take: impl FnOnce(&Up) -> T) -> Result<T, PeerFault> {
        match &*self.link.lock().unwrap_or_else(PoisonError::into_inner) {
            Link::Up(up) => Ok(take(up)),
            Link::Down => Err(PeerFault::Unreachable(self.id)),
            Link::Refused(why) => Err(PeerFault::Refused { peer: self.id, why: why.clone() }),
        }
    }

    /// A link stands.
    pub(super) fn rose(&self, up: Up) {
        self.becomes(Link::Up(Box::new(up)));
    }

    /// The link fell, or a dial failed.
    pub(super) fn fell(&self, refused: Option<String>) {
        self.becomes(refused.map_or(Link::Down, Link::Refused));
    }

    fn becomes(&self, link: Link) {
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = link;
    }

    /// What a new listener has to know.
    pub(super) fn standing(&self) -> Option<LinkEvent> {
        self.with_link(|up| LinkEvent::Up { peer: self.id, boot: up.boot }).ok()
    }

    /// It dialled us. If it has started since our link began, that link leads to a process that is dead, even if
    /// the network has not said so; if there is none, now is the moment to dial.
    pub(super) fn lives(&self, boot: u64) {
        match self.up() {
            Ok(up) if up.boot >= boot => return,
            Ok(up) => up.lane.cut(),
            Err(_) => {}
        }
        self.alive.store(true, Ordering::Relaxed);
        self.wake.notify_one();
    }

    /// Whether it gave a sign of life since this was asked last.
    pub(super) fn take_alive(&self) -> bool {
        self.alive.swap(false, Ordering::Relaxed)
    }
}
