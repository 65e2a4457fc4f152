//! The state as rows: storage keeps rows, a snapshot is all rows, and the
//! state is rebuilt from them. A row shares its value with the state, so
//! taking one out copies nothing.

use crate::history::{Generation, Lineage};
use crate::invitations::Invitation;
use crate::members::Member;
use crate::{
    AuditEntry, Brake, Instance, Inventory, Mode, Node, Piece, Process, Repeated, Restoring, Retention, Runs,
    StoredReply,
};
use process_model::audit::Anchor;
use process_model::{Action, Event, InstanceId, NodeName, ProcessName, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Row {
    /// The one row of counters and settings.
    Meta(Box<Meta>),
    /// A process.
    Process(Arc<Process>),
    /// An instance.
    Instance(Arc<Instance>),
    /// A node.
    Node(Arc<Node>),
    /// An action.
    Action(Arc<Action>),
    /// An event.
    Event(Arc<Event>),
    /// An audit entry.
    Audit(Arc<AuditEntry>),
    /// The reply to a request id.
    Reply(Arc<StoredReply>),
    /// A spec that a process has or had.
    Generation(Arc<Generation>),
    /// What is known of all generations of a name.
    Lineage(Arc<Lineage>),
    /// A replica that is or was a member.
    Member(Arc<Member>),
    /// A piece of a backup that is being restored.
    Piece(Arc<Piece>),
    /// What a node has, as it said.
    Inventory(Arc<Inventory>),
    /// An invitation of a node.
    Invitation(Arc<Invitation>),
    /// Runs of an instance.
    Runs(Arc<Runs>),
}

/// Key of a row; unique over all kinds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RowKey {
    /// The one row of counters and settings.
    Meta,
    /// By name.
    Process(ProcessName),
    /// By id.
    Instance(InstanceId),
    /// By name.
    Node(NodeName),
    /// By number.
    Action(u64),
    /// By revision.
    Event(u64),
    /// By number.
    Audit(u64),
    /// By the number of its audit entry.
    Reply(u64),
    /// By process and number.
    Generation(ProcessName, u64),
    /// By name.
    Lineage(ProcessName),
    /// By number.
    Member(u64),
    /// By its number in the backup.
    Piece(u32),
    /// By node.
    Inventory(NodeName),
    /// By the hash of its token.
    Invitation(String),
    /// By instance.
    Runs(InstanceId),
}

/// Counters and settings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Revision of the newest event.
    pub revision: u64,
    /// Number of the newest audit entry.
    pub audited: u64,
    /// Id of the cluster; empty until it is founded.
    pub cluster_id: String,
    /// Events that are kept.
    pub event_retention: u64,
    /// How long other records are kept.
    #[serde(default)]
    pub retention: Retention,
    /// The audit entry before the oldest that is kept and chained.
    #[serde(default)]
    pub audit_anchor: Anchor,
    /// Refused attempts that are being counted.
    #[serde(default)]
    pub refusals: Vec<Repeated>,
    /// Names without a history begin above this generation.
    #[serde(default)]
    pub generation_floor: u64,
    /// The next number of a replica that nobody had.
    #[serde(default)]
    pub next_member: u64,
    /// Of the cluster as nodes and users know it: grows when it is restored.
    #[serde(default)]
    pub epoch: u64,
    /// Whether it looks on.
    #[serde(default)]
    pub mode: Mode,
    /// The restore that is going on.
    #[serde(default)]
    pub restoring: Option<Box<Restoring>>,
    /// Events up to this revision are of before a restore: nobody can go on from there.
    #[serde(default)]
    pub cut: u64,
    /// The highest level of commands that every replica knows; 0: 1.
    #[serde(default)]
    pub level: u16,
    /// Nothing of lost nodes is placed elsewhere.
    #[serde(default)]
    pub brake: Option<Box<Brake>>,
    /// When somebody last released it.
    #[serde(default)]
    pub brake_released: Timestamp,
}

impl Default for Meta {
    fn default() -> Self {
        Self {
            revision: 0,
            audited: 0,
            cluster_id: String::new(),
            event_retention: 10_000,
            retention: Retention::default(),
            audit_anchor: Anchor::default(),
            refusals: Vec::new(),
            generation_floor: 0,
            next_member: 0,
            epoch: 0,
            mode: Mode::default(),
            restoring: None,
            cut: 0,
            level: 0,
            brake: None,
            brake_released: Timestamp::default(),
        }
    }
}

impl Row {
    /// Its key.
    #[must_use]
    pub fn key(&self) -> RowKey {
        match self {
            Self::Meta(_) => RowKey::Meta,
            Self::Process(process) => RowKey::Process(process.spec.name.clone()),
            Self::Instance(instance) => RowKey::Instance(instance.id.clone()),
            Self::Node(node) => RowKey::Node(node.name.clone()),
            // An action without a number of ours cannot be made; 0 is none of them.
            Self::Action(action) => RowKey::Action(crate::action_number(&action.id).unwrap_or(0)),
            Self::Event(event) => RowKey::Event(event.revision),
            Self::Audit(entry) => RowKey::Audit(entry.number),
            Self::Reply(reply) => RowKey::Reply(reply.number),
            Self::Generation(generation) => RowKey::Generation(generation.process.clone(), generation.generation),
            Self::Lineage(lineage) => RowKey::Lineage(lineage.process.clone()),
            Self::Member(member) => RowKey::Member(member.id),
            Self::Piece(piece) => RowKey::Piece(piece.number),
            Self::Inventory(inventory) => RowKey::Inventory(inventory.node.clone()),
            Self::Invitation(invitation) => RowKey::Invitation(invitation.hash.clone()),
            Self::Runs(runs) => RowKey::Runs(runs.instance.clone()),
        }
    }
}
