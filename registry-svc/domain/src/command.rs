//! What enters: commands, as they stand in the replicated log. Decoded by
//! every later version, so fields are only ever added, with a default.

use crate::invitations::{Admit, Invite};
use crate::members::{Enroll, MemberCertified, MemberGone, MemberNote, MemberUp};
use crate::{ConfirmRestore, NodeFacts, NodeInventory, RestoreStep, Retention};
use process_model::spec::Signal;
use process_model::{
    ActionReport, ActionVerb, InstanceReport, NodeName, ProcessName, ProcessSpec, RunReport, Timestamp,
};
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
    /// When the leader took it in, by its clock.
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
    /// Half of a node's lease has run out.
    NodeSuspect {
        /// The node.
        node: NodeName,
    },
    /// A node is still lost, and something on it is to be placed elsewhere.
    NodeSilent {
        /// The node.
        node: NodeName,
        /// For how long the leader has known it lost, by its monotonic clock.
        silent: Duration,
        /// Which loss of the node it is.
        loss: u64,
    },
    /// What lost nodes have is to be placed elsewhere though many were lost at once.
    ReleaseBrake,
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
    /// The time of the command has come for what waits for it.
    Tick,
    /// Send a signal.
    Signal(SendSignal),
    /// A word to units of systemd.
    ControlUnits(ControlUnits),
    /// A replica's certificate has this name.
    MemberCertified(MemberCertified),
    /// A node may join.
    Invite(Invite),
    /// A node joins.
    Admit(Admit),
    /// A node's session began, and this is all that it says of itself.
    NodeArrived(NodeArrived),
    /// A node gets nothing new, or does again.
    SetSchedulable(SetSchedulable),
    /// What a node has goes elsewhere.
    Drain(DrainNode),
    /// Labels of a node.
    LabelNode(LabelNode),
    /// A node is forgotten.
    RemoveNode(RemoveNode),
    /// Hold a rollout.
    PauseRollout {
        /// The process.
        process: ProcessName,
    },
    /// Go on with a rollout.
    ResumeRollout {
        /// The process.
        process: ProcessName,
    },
    /// Let the others follow the canaries.
    PromoteRollout {
        /// The process.
        process: ProcessName,
    },
    /// Restart instances, some at a time.
    RollingRestart(RollingRestart),
    /// Another number of instances.
    Scale(Scale),
    /// What a runner says of runs.
    Runs(RunReports),
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

/// Sends the main processes of instances a signal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SendSignal {
    /// Process names, instance ids or patterns.
    pub selectors: Vec<String>,
    /// The signal.
    pub signal: Signal,
    /// W3C `traceparent` of the request; may be empty.
    #[serde(default)]
    pub traceparent: String,
}

/// Restarts what runs of some processes, as their update policies say.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RollingRestart {
    /// Process names or patterns.
    pub selectors: Vec<String>,
    /// W3C `traceparent` of the request; may be empty.
    #[serde(default)]
    pub traceparent: String,
}

/// Starts, stops, restarts or reloads a unit of systemd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlUnits {
    /// Names or patterns of nodes.
    pub nodes: Vec<String>,
    /// The unit.
    pub unit: String,
    /// Which of them.
    pub verb: ActionVerb,
    /// W3C `traceparent` of the request; may be empty.
    #[serde(default)]
    pub traceparent: String,
}

/// Changes how many instances a process has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scale {
    /// The process.
    pub process: ProcessName,
    /// So many from now on.
    pub instances: u32,
    /// Expected current generation.
    #[serde(default)]
    pub expected: Option<u64>,
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
    /// Whether its runner ends a singleton by itself when its lease is over.
    /// Left out when it does not: that is for replicas which do not know of it,
    /// and take no field more than they know. So nothing may ever follow it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub fences: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_false(value: &bool) -> bool {
    !value
}

/// How a node introduces itself to a registry that knows of labels. Before
/// that there is [`Order::NodeConnected`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeArrived {
    /// As ever.
    pub hello: NodeHello,
    /// What it says beyond that.
    pub facts: NodeFacts,
}

/// Cordons a node, or ends that and its drain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SetSchedulable {
    /// The node.
    pub node: NodeName,
    /// Whether it takes new instances.
    pub schedulable: bool,
}

/// Drains a node, or gives its drain another deadline.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrainNode {
    /// The node.
    pub node: NodeName,
    /// After so long what is left is stopped; `None`: it is waited for.
    pub deadline: Option<Duration>,
}

/// Sets labels of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LabelNode {
    /// The node.
    pub node: NodeName,
    /// Values by name, already checked; an empty text: it is to have none of
    /// this name.
    pub labels: BTreeMap<String, String>,
}

/// Forgets a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveNode {
    /// The node.
    pub node: NodeName,
    /// Even if it is ready or has instances, which are given up.
    pub force: bool,
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

/// What a runner says of runs, in the order in which it happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunReports {
    /// The node.
    pub node: NodeName,
    /// The runs.
    pub runs: Vec<RunReport>,
}
