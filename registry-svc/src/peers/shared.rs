//! What the two ends of a replica share: who it is, who judges, which links
//! there are.

use super::listener::Listener;
use super::peer::Peer;
use super::turned_away::TurnedAway;
use super::{AddressBook, Hello, Identity, LevelBook, Progress, Registrar, Timing};
use registry_consensus::ReplicaId;
use service_host::client::{ClientContext, Credentials};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Shared by all links of a replica.
pub(super) struct Shared {
    pub(super) identity: Identity,
    pub(super) registrar: Arc<dyn Registrar>,
    pub(super) book: AddressBook,
    pub(super) levels: LevelBook,
    pub(super) timing: Timing,
    /// What we show, for every connection and stream that we open.
    pub(super) credentials: Credentials,
    pub(super) context: ClientContext,
    pub(super) listener: Listener,
    pub(super) turned_away: TurnedAway,
    /// Ends every link, both ways.
    pub(super) stop: CancellationToken,
    /// Ends what the others have opened to us, before that.
    pub(super) doors: CancellationToken,
    /// How far we have come.
    progress: OnceLock<Box<dyn Fn() -> Progress + Send + Sync>>,
    /// To whom we keep links.
    pub(super) peers: RwLock<BTreeMap<ReplicaId, Arc<Peer>>>,
    /// Who keeps links to us.
    accepted: Mutex<Vec<AcceptedLink>>,
}

struct AcceptedLink {
    from: ReplicaId,
    boot: u64,
    cut: CancellationToken,
}

impl Shared {
    pub(super) fn new(settings: super::Settings, context: ClientContext, stop: CancellationToken) -> Self {
        let super::Settings { identity, registrar, book, timing, token: credentials } = settings;
        Self {
            identity,
            registrar,
            book,
            levels: LevelBook::default(),
            timing,
            credentials,
            context,
            listener: Listener::default(),
            turned_away: TurnedAway::new(),
            doors: stop.child_token(),
            stop,
            progress: OnceLock::new(),
            peers: RwLock::default(),
            accepted: Mutex::default(),
        }
    }

    /// What this replica says to another one now.
    pub(super) fn hello(&self, to: ReplicaId) -> Hello {
        self.identity.hello(to, self.progress.get().map(|tell| tell()).unwrap_or_default())
    }

    pub(super) fn set_progress(&self, tell: Box<dyn Fn() -> Progress + Send + Sync>) {
        // Set once, when the replica starts.
        let _ = self.progress.set(tell);
    }

    pub(super) fn peer(&self, id: ReplicaId) -> Option<Arc<Peer>> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).get(&id).cloned()
    }

    pub(super) fn members(&self) -> BTreeSet<ReplicaId> {
        self.peers.read().unwrap_or_else(PoisonError::into_inner).keys().copied().collect()
    }

    /// A replica dialled us and was let in: it is alive, and there.
    pub(super) fn heard_from(&self, hello: &Hello) {
        let from = hello.from();
        self.book.set(from, &hello.address);
        self.levels.note(from, hello.level, &hello.version);
        if let Some(peer) = self.peer(from) {
            peer.lives(hello.boot);
        }
    }

    /// A link to us begins. Links of an earlier start of the same replica are dead and end now. The guard ends
    /// the token's life in the list with the link; the token says when the link has to end.
    pub(super) fn accept(&self, hello: &Hello) -> (CancellationToken, DropGuard) {
        let cut = self.doors.child_token();
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.retain(|link| !link.cut.is_cancelled());
        for old in accepted.iter().filter(|old| old.from == hello.from() && old.boot < hello.boot) {
            old.cut.cancel();
        }
        accepted.push(AcceptedLink { from: hello.from(), boot: hello.boot, cut: cut.clone() });
        (cut.clone(), cut.drop_guard())
    }

    /// Links of those who left end; who still belongs here dials again, and is judged anew. Not those of whom this
    /// replica has not heard yet: it may be the one that lags.
    pub(super) fn cut_accepted(&self, left: &BTreeSet<ReplicaId>) {
        let mut accepted = self.accepted.lock().unwrap_or_else(PoisonError::into_inner);
        accepted.retain(|link| {
            let stays = !left.contains(&link.from);
            if !stays {
                link.cut.cancel();
            }
            stays
        });
    }
}
