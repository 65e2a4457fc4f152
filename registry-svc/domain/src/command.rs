//! What enters: commands, as they stand in the replicated log. Decoded by
//! every later version, so fields are only ever added, with a default.

use crate::members::{Enroll, MemberGone, MemberNote, MemberUp};
use crate::{ConfirmRestore, NodeInventory, RestoreStep, Retention};
use process_model::{ActionReport, ActionVerb, InstanceReport, NodeName, ProcessName, ProcessSpec, Timestamp};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// One change that somebody asks for, with everything that deciding needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Command {
    /// Who, why and when.
    pub header: Header,
    /// What.
    pub order: Order,
}

/// Who asks, why and when.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Header {
    /// `admin`, `node:NAME`, `registry`.
    pub actor: String,
    /// Why, as the caller said; may be empty.
    #[serde(default)]
    pub reason: String,
    /// Idempotency key; empty: none.
    #[serde(default)]
    pub request_id: String,
    /// Hash of the request, made where it came in: tells a repeated request
    /// from another one with the same key.
    #[serde(default)]
    pub fingerprint: u64,
    /// When the leader took it in.
    pub time: Timestamp,
    /// Where it came from, as an address; empty: from the actor's own place.
    #[serde(default)]
    pub source: String,
}

/// What is to be done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Settings of the cluster that every replica has to agree on.
    Configure(Configure),
    /// Create or replace processes.
    Apply(Apply),
    /// Forget processes and stop their instances.
    Delete {
        /// Process names or patterns.
        selectors: Vec<String>,
    },
    /// Start, stop, restart or reload.
    Switch(Switch),
    /// A node's session began.
    NodeConnected(NodeHello),
    /// A node's lease ran out.
    NodeLost {
        /// The node.
        node: NodeName,
    },
    /// What a runner saw.
    Report(Report),
    /// Actions were handed to their node.
    ActionsDelivered {
        /// The node.
        node: NodeName,
        /// Their ids.
        actions: Vec<String>,
    },
    /// Bring an earlier spec of a process back.
    Rollback(Rollback),
    /// Attempts that a door refused; for the audit log.
    RecordRefusals(Vec<Denial>),
    /// A replica says who it is.
    MemberUp(MemberUp),
    /// A replica that joins gets its number.
    Enroll(Enroll),
    /// A replica is a member no more.
    MemberGone(MemberGone),
    /// A change of the members that the state does not hold; for the audit log.
    MemberNote(MemberNote),
    /// A backup takes the place of the state, step by step.
    Restore(RestoreStep),
    /// What a node has, told to a registry that looks on.
    Inventory(NodeInventory),
    /// Looking on ends.
    ConfirmRestore(ConfirmRestore),
    /// From now on commands of this level may come: every replica knows it.
    SetLevel {
        /// The level.
        level: u16,
    },
}

/// Settings of the cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Configure {
    /// Id of the cluster; taken only while it has none.
    pub cluster_id: String,
    /// Events that are kept.
    pub event_retention: u64,
    /// How long other records are kept; `None`: as before.
    #[serde(default)]
    pub retention: Option<Retention>,
}

/// Creates or replaces processes, all or none.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Apply {
    /// The specs, each name at most once; already checked.
    pub specs: Vec<Arc<ProcessSpec>>,
    /// Where they come from.
    #[serde(default)]
    pub source: String,
    /// Whether to delete what came from the same source and is not in `specs`.
    #[serde(default)]
    pub prune: bool,
    /// Expected etag by process name; empty text: it must not exist.
    #[serde(default)]
    pub etags: BTreeMap<String, String>,
    /// W3C `traceparent` of the request; may be empty.
    #[serde(default)]
    pub traceparent: String,
    /// Expected generation by process name; 0: it must not exist.
    #[serde(default)]
    pub generations: BTreeMap<String, u64>,
}

/// Brings an earlier spec of a process back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rollback {
    /// The process.
    pub process: ProcessName,
    /// The generation; `None`: the one before the current one.
    pub to: Option<u64>,
    /// Expected current generation; 0: it must not exist.
    #[serde(default)]
    pub expected: Option<u64>,
    /// W3C `traceparent` of the request; may be empty.
    #[serde(default)]
    pub traceparent: String,
}

/// Attempts that are alike, refused before they came here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Denial {
    /// Who.
    pub actor: String,
    /// Where they came from, as an address.
    pub source: String,
    /// What was called.
    pub method: String,
    /// What it was about, by name.
    #[serde(default)]
    pub targets: Vec<String>,
    /// Stable reason, as `PERMISSION_DENIED`.
    pub reason: String,
    /// Idempotency key of the first.
    #[serde(default)]
    pub request_id: String,
    /// How many.
    pub count: u64,
}

/// Starts, stops, restarts or reloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switch {
    /// Which of them.
    pub verb: ActionVerb,
    /// Process names, instance ids or patterns.
    pub selectors: Vec<String>,
    /// Overrides the spec's stop timeout.
    #[serde(default)]
    pub stop_timeout: Option<Duration>,
    /// W3C `traceparent` of the request; may be empty.
    #[serde(default)]
    pub traceparent: String,
}

/// How a node introduces itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeHello {
    /// Its name.
    pub node: NodeName,
    /// The kernel's boot id.
    pub boot_id: String,
    /// Version of its runner.
    pub runner_version: String,
    /// Processors.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
}

/// What a runner saw, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The node.
    pub node: NodeName,
    /// The boot that it happened in.
    #[serde(default)]
    pub boot_id: String,
    /// The runner's count of its reports.
    #[serde(default)]
    pub seq: u64,
    /// States of instances.
    pub instances: Vec<InstanceReport>,
    /// Changes of actions.
    #[serde(default)]
    pub actions: Vec<ActionReport>,
}
