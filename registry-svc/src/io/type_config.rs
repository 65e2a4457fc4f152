//! What openraft is to replicate.

use openraft::BasicNode;
use registry_domain::{Command, Refusal, Reply};
use serde::{Deserialize, Serialize};
use std::io::Cursor;

/// Commands that are committed together: openraft syncs once for each entry,
/// so many commands share one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The commands, in the order in which they take effect.
    pub commands: Vec<Command>,
}

/// One answer for each command of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BatchReply {
    /// The answers, in the order of the commands.
    pub replies: Vec<Result<Reply, Refusal>>,
}

openraft::declare_raft_types!(
    /// What openraft is to replicate.
    pub TypeConfig:
        D = Batch,
        R = BatchReply,
        NodeId = u64,
        Node = BasicNode,
        Entry = openraft::Entry<TypeConfig>,
        SnapshotData = Cursor<Vec<u8>>,
);

/// A replica's consensus engine.
pub type Raft = openraft::Raft<TypeConfig>;
/// Position in the log.
pub type LogId = openraft::LogId<u64>;
/// Members as of some position in the log.
pub type Membership = openraft::StoredMembership<u64, BasicNode>;
