//! Who a replica is, and what it says of itself when a conversation begins.

use registry_quorum::recovery::Fence;
use registry_quorum::{Position, ReplicaId};

/// The newest version of the protocol that is spoken here. The lower of both
/// ends' versions counts; 1 is the first.
pub const PROTOCOL: u32 = 1;

/// Who this replica is; does not change while its process lives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Its cluster, its epoch, its number.
    pub fence: Fence,
    /// The identity of its data directory.
    pub store: String,
    /// Which start of its process this is.
    pub boot: u64,
    /// Where others reach it, as `http://HOST:PORT`.
    pub address: String,
    /// Its program version, for people.
    pub version: String,
    /// Tells this start from another one with the same count; 0: not told.
    pub start: u64,
    /// The highest level of commands that it knows; 0: not told.
    pub level: u16,
}

/// How far a replica has come when it says hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// It takes part in no term before this one.
    pub term: u64,
    /// The end of its log, or of the snapshot in its place.
    pub last: Option<Position>,
}

/// What one end of a conversation says of itself at its beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hello {
    /// The sender's cluster, epoch, number.
    pub fence: Fence,
    /// The identity of its data directory.
    pub store: String,
    /// Which start of its process.
    pub boot: u64,
    /// For whom it is meant.
    pub to: ReplicaId,
    /// The newest version of the protocol that it speaks.
    pub protocol: u32,
    /// Where it is reached.
    pub address: String,
    /// Its program version.
    pub version: String,
    /// Tells this start from another one with the same count; 0: not told.
    pub start: u64,
    /// The highest level of commands that it knows; 0: not told.
    pub level: u16,
    /// How far it has come.
    pub progress: Progress,
    /// The name in the certificate that the sender showed; not said, but seen. `None`: there was none, on plain text.
    pub certificate: Option<String>,
}

impl Identity {
    /// Who this is.
    #[must_use]
    pub fn id(&self) -> ReplicaId {
        self.fence.id
    }

    /// What this replica says to another one.
    #[must_use]
    pub fn hello(&self, to: ReplicaId, progress: Progress) -> Hello {
        Hello {
            fence: self.fence.clone(),
            store: self.store.clone(),
            boot: self.boot,
            to,
            protocol: PROTOCOL,
            address: self.address.clone(),
            version: self.version.clone(),
            start: self.start,
            level: self.level,
            progress,
            certificate: None,
        }
    }

    /// Whether a replica that turns this one away may end it: one of the same
    /// cluster that was not left behind by a recovery itself. What a stranger
    /// says about our members is no evidence.
    pub(super) fn heeds(&self, who: &Hello) -> bool {
        who.fence.cluster == self.fence.cluster && who.fence.epoch >= self.fence.epoch
    }
}

impl Hello {
    /// Who says so.
    #[must_use]
    pub fn from(&self) -> ReplicaId {
        self.fence.id
    }
}
