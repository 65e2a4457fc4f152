//! What the library is to replicate.

use crate::{Answers, Payload, Snapshot};
use openraft::EmptyNode;

openraft::declare_raft_types!(
    /// What the library is to replicate. Addresses are not its matter: peers
    /// are known by their number only.
    pub(crate) TypeConfig:
        D = Payload,
        R = Answers,
        NodeId = u64,
        Node = EmptyNode,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = Snapshot,
);

/// The library's engine.
pub(crate) type Raft = openraft::Raft<TypeConfig>;
/// A place in the log.
pub(crate) type LogId = openraft::LogId<u64>;
/// Its entry.
pub(crate) type RaftEntry = openraft::Entry<TypeConfig>;
/// Members as of a place in the log.
pub(crate) type StoredMembership = openraft::StoredMembership<u64, EmptyNode>;
/// Members.
pub(crate) type Membership = openraft::Membership<u64, EmptyNode>;
