//! The links of a replica to its peers: the calling end of consensus.

use super::lane::Lane;
use super::peer::Peer;
use super::shared::Shared;
use super::{AddressBook, Fenced, Identity, LevelBook, Progress, Registrar, Timing, link, snapshot_out};
use futures::future::{BoxFuture, ready};
use registry_consensus::{Answer, Call, LinkEvent, Note, PeerFault, Peers, ReplicaId, Snapshot, Vote};
use service_host::client::{Credentials, ServiceChannel};
use service_host::transport::TransportError;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::{Arc, PoisonError};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// What links need.
pub struct Settings {
    /// Who this replica is.
    pub identity: Identity,
    /// Who is let in.
    pub registrar: Arc<dyn Registrar>,
    /// Where replicas are.
    pub book: AddressBook,
    /// What this replica shows to the others: the services' token, or its certificate.
    pub token: Credentials,
    /// The waits.
    pub timing: Timing,
}

/// The links of this replica. Clones share them; they end with [`Links::stop`].
#[derive(Clone)]
pub struct Links {
    shared: Arc<Shared>,
    runtime: Handle,
}

impl Links {
    /// No links yet. They will live on the runtime on which this is called.
    ///
    /// # Errors
    /// Outside of a Tokio runtime, or with a token that cannot be sent.
    pub fn new(settings: Settings) -> Result<Self, TransportError> {
        let runtime = Handle::try_current().map_err(|_| TransportError::NoRuntime)?;
        let context = settings.token.context()?;
        let shared = Arc::new(Shared::new(settings, context, CancellationToken::new()));
        Ok(Self { shared, runtime })
    }

    /// Who this replica is.
    #[must_use]
    pub fn identity(&self) -> &Identity {
        &self.shared.identity
    }

    /// Which commands the others know.
    #[must_use]
    pub fn levels(&self) -> LevelBook {
        self.shared.levels.clone()
    }

    /// Set once this replica was turned away for good: it has to end.
    #[must_use]
    pub fn fenced(&self) -> watch::Receiver<Option<Fenced>> {
        self.shared.turned_away.fenced()
    }

    /// Ends what other replicas have opened to this one, which is about to stop: it would stay open for as long as they
    /// live. What this one has asked of them is answered still.
    pub fn close_doors(&self) {
        self.shared.doors.cancel();
    }

    /// Ends all links, both ways. There are none afterwards.
    pub fn stop(&self) {
        self.shared.stop.cancel();
    }

    /// From now on every hello says how far this replica has come. Called once, before the first link.
    pub fn tell_progress(&self, tell: impl Fn() -> Progress + Send + Sync + 'static) {
        self.shared.set_progress(Box::new(tell));
    }

    /// For other calls over the connection of a link that stands.
    ///
    /// # Errors
    /// There is none.
    pub fn channel(&self, to: ReplicaId) -> Result<ServiceChannel, PeerFault> {
        self.shared.peer(to).ok_or(PeerFault::Unreachable(to))?.up().map(|up| up.channel)
    }

    /// This replica must end: the cluster has no place for it.
    pub fn end(&self, by: ReplicaId, why: &str) {
        self.shared.turned_away.end(by, why);
    }

    pub(super) fn shared(&self) -> &Arc<Shared> {
        &self.shared
    }

    fn lane(&self, to: ReplicaId) -> Result<Arc<Lane>, PeerFault> {
        let peers = self.shared.peers.read().unwrap_or_else(PoisonError::into_inner);
        peers.get(&to).ok_or(PeerFault::Unreachable(to))?.lane()
    }
}

impl Peers for Links {
    fn call(&self, to: ReplicaId, call: Call) -> BoxFuture<'static, Result<Answer, PeerFault>> {
        match self.lane(to).and_then(|lane| lane.ask(call)) {
            Ok(answer) => Box::pin(async move { answer.await.unwrap_or(Err(PeerFault::Unreachable(to))) }),
            Err(fault) => Box::pin(ready(Err(fault))),
        }
    }

    fn note(&self, to: ReplicaId, note: Note) {
        if let Ok(lane) = self.lane(to) {
            lane.tell(note);
        }
    }

    fn send_snapshot(
        &self,
        to: ReplicaId,
        vote: Vote,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<Vote, PeerFault>> {
        let hello = self.shared.hello(to);
        match self.shared.peer(to) {
            Some(peer) => Box::pin(snapshot_out::send(peer, hello, vote, snapshot)),
            None => Box::pin(ready(Err(PeerFault::Unreachable(to)))),
        }
    }

    fn redial(&self, to: ReplicaId) {
        if let Some(peer) = self.shared.peer(to)
            && peer.lane().is_err()
        {
            peer.wake.notify_one();
        }
    }

    fn set_members(&self, members: &[ReplicaId]) {
        let members: BTreeSet<ReplicaId> =
            members.iter().copied().filter(|id| *id != self.shared.identity.id()).collect();
        let mut peers = self.shared.peers.write().unwrap_or_else(PoisonError::into_inner);
        let mut left = BTreeSet::new();
        peers.retain(|id, peer| {
            let stays = members.contains(id);
            if !stays {
                peer.stop.cancel();
                left.insert(*id);
            }
            stays
        });
        for id in &members {
            peers.entry(*id).or_insert_with(|| {
                let peer = Arc::new(Peer::new(*id, self.shared.stop.child_token()));
                self.runtime.spawn(link::keep(self.shared.clone(), peer.clone()));
                peer
            });
        }
        drop(peers);
        self.shared.cut_accepted(&left);
    }

    fn events(&self) -> mpsc::UnboundedReceiver<LinkEvent> {
        self.shared.listener.replace(|| {
            let peers = self.shared.peers.read().unwrap_or_else(PoisonError::into_inner);
            peers.values().filter_map(|peer| peer.standing()).collect()
        })
    }
}

impl fmt::Debug for Links {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Links").field("identity", &self.shared.identity).finish_non_exhaustive()
    }
}
