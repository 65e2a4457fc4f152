//! The way to the other replicas. Whoever implements it keeps one connection
//! to each, knows addresses and checks that the other end is who it should be.

use crate::{Answer, Call, Note, Snapshot};
use futures::future::BoxFuture;
use registry_log::Vote;
use registry_quorum::ReplicaId;
use tokio::sync::mpsc;

/// The way to the other replicas.
pub trait Peers: Send + Sync + 'static {
    /// Asks a peer. The future ends when the answer is there or the link is
    /// down; how long to wait is the caller's decision, who drops it then.
    /// Calls and notes to one peer leave in the order in which they are made.
    fn call(&self, to: ReplicaId, call: Call) -> BoxFuture<'static, Result<Answer, PeerFault>>;

    /// Tells a peer something. Lost when the link is down.
    fn note(&self, to: ReplicaId, note: Note);

    /// Sends a snapshot in the name of a leader's vote, from where the peer
    /// says that it lacks it. Answers the peer's vote: if it is higher, the
    /// snapshot was not taken.
    fn send_snapshot(
        &self,
        to: ReplicaId,
        vote: Vote,
        snapshot: Snapshot,
    ) -> BoxFuture<'static, Result<Vote, PeerFault>>;

    /// Dials a peer whose link is down at once, whatever the back-off says.
    fn redial(&self, to: ReplicaId);

    /// From now on keeps links to these, and to no others.
    fn set_members(&self, members: &[ReplicaId]);

    /// What happens to the links. There is one listener; a second call takes
    /// the place of the first.
    fn events(&self) -> mpsc::UnboundedReceiver<LinkEvent>;
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PeerFault {
    /// There is no link, or it broke before the answer came; the call may or
    /// may not have had its effect.
    #[error("replica {0} cannot be reached")]
    Unreachable(ReplicaId),
    /// The peer does not talk to us, or we not to it.
    #[error("replica {peer} refuses this replica: {why}")]
    Refused {
        /// The peer.
        peer: ReplicaId,
        /// Why, for an operator.
        why: String,
    },
    /// It answered something else than was asked.
    #[error("replica {0} answered with a message of another kind")]
    Nonsense(ReplicaId),
}

/// What happened to a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// It stands.
    Up {
        /// The other end.
        peer: ReplicaId,
        /// Which start of its process answered; it grows with each.
        boot: u64,
    },
    /// It broke, or a dial failed.
    Down {
        /// The other end.
        peer: ReplicaId,
        /// The dial was answered with a refusal: nobody listens there.
        refused: bool,
    },
}
