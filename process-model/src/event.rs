//! Lifecycle facts with a revision.

use crate::{Action, ExitStatus, InstanceId, NodeName, Phase, ProcessName, RolloutDetail, Timestamp};
use serde::{Deserialize, Serialize};

/// The types of events: stable, dotted, lower case.
pub mod event_type {
    /// A process was created.
    pub const PROCESS_CREATED: &str = "process.created";
    /// A process's spec changed.
    pub const PROCESS_UPDATED: &str = "process.updated";
    /// A process was deleted.
    pub const PROCESS_DELETED: &str = "process.deleted";
    /// An instance was assigned to a node.
    pub const INSTANCE_ASSIGNED: &str = "instance.assigned";
    /// An instance is wanted by nobody and nothing of it is left.
    pub const INSTANCE_REMOVED: &str = "instance.removed";
    /// An instance leaves its node for another one.
    pub const INSTANCE_MOVING: &str = "instance.moving";
    /// A program was started.
    pub const INSTANCE_STARTED: &str = "instance.started";
    /// A program could not be started.
    pub const INSTANCE_START_FAILED: &str = "instance.start_failed";
    /// An instance became ready.
    pub const INSTANCE_READY: &str = "instance.ready";
    /// An instance is no longer ready.
    pub const INSTANCE_UNREADY: &str = "instance.unready";
    /// A program ended by itself.
    pub const INSTANCE_EXITED: &str = "instance.exited";
    /// The next start has been scheduled.
    pub const INSTANCE_BACKOFF: &str = "instance.backoff";
    /// A stop began.
    pub const INSTANCE_STOPPING: &str = "instance.stopping";
    /// A stop is complete.
    pub const INSTANCE_STOPPED: &str = "instance.stopped";
    /// Something could not be killed.
    pub const INSTANCE_STOP_FAILED: &str = "instance.stop_failed";
    /// The runner gave up restarting.
    pub const INSTANCE_FAILED: &str = "instance.failed";
    /// The log watchdog saw no activity for too long; a restart follows.
    pub const INSTANCE_WATCHDOG: &str = "instance.watchdog_timeout";
    /// The liveness probe, or the program's own `WATCHDOG=1`, said that it is
    /// dead; a restart follows.
    pub const INSTANCE_UNHEALTHY: &str = "instance.unhealthy";
    /// It used more than it may (or would have, in observe mode).
    pub const INSTANCE_LIMIT: &str = "instance.limit_exceeded";
    /// It has run for as long as it may; a restart follows.
    pub const INSTANCE_EXPIRED: &str = "instance.max_runtime";
    /// A line of output has the pattern of a log rule.
    pub const INSTANCE_LOG_MATCH: &str = "instance.log_match";
    /// The same for a rule whose action is `alert`.
    pub const INSTANCE_LOG_ALERT: &str = "instance.log_alert";
    /// Output could not be written, or can be again.
    pub const INSTANCE_LOG_DEGRADED: &str = "instance.log_degraded";
    /// A hook failed or took too long.
    pub const INSTANCE_HOOK_FAILED: &str = "instance.hook_failed";
    /// Its configuration was read anew.
    pub const INSTANCE_RELOADED: &str = "instance.reloaded";
    /// It waits for what it depends on, or for its time.
    pub const INSTANCE_WAITING: &str = "instance.waiting";
    /// A new runner took over a running instance.
    pub const INSTANCE_ADOPTED: &str = "instance.adopted";
    /// The node of an instance is silent.
    pub const INSTANCE_LOST: &str = "instance.lost";
    /// The node of a lost instance is back; what was last seen of it holds again.
    pub const INSTANCE_RETURNED: &str = "instance.returned";
    /// Its lease was over: the node ended this singleton by itself.
    pub const INSTANCE_FENCED: &str = "instance.fenced";
    /// Its node stayed lost: it is placed elsewhere.
    pub const INSTANCE_REPLACED: &str = "instance.replaced";
    /// The copy that a lost node was left with is gone.
    pub const INSTANCE_LEFT_ENDED: &str = "instance.left_ended";
    /// A node has been silent for half of its lease.
    pub const NODE_SUSPECT: &str = "node.suspect";
    /// A node connected for the first time, or again after it was lost.
    pub const NODE_READY: &str = "node.ready";
    /// A node's lease ran out.
    pub const NODE_LOST: &str = "node.lost";
    /// Many nodes were lost at once: nothing of theirs is placed elsewhere.
    pub const CLUSTER_BRAKE_ENGAGED: &str = "cluster.brake_engaged";
    /// What lost nodes have is placed elsewhere again.
    pub const CLUSTER_BRAKE_RELEASED: &str = "cluster.brake_released";
    /// An operator said that a node gets nothing new.
    pub const NODE_CORDONED: &str = "node.cordoned";
    /// A node takes new instances again; a drain is over with that.
    pub const NODE_UNCORDONED: &str = "node.uncordoned";
    /// What a node has goes elsewhere, or its deadline for that is over.
    pub const NODE_DRAINING: &str = "node.draining";
    /// Nothing but daemons, and what has ended, is left on a node.
    pub const NODE_DRAINED: &str = "node.drained";
    /// An operator changed labels of a node.
    pub const NODE_LABELLED: &str = "node.labelled";
    /// A node was forgotten.
    pub const NODE_REMOVED: &str = "node.removed";
    /// A backup took the place of the state.
    pub const CLUSTER_RESTORED: &str = "cluster.restored";
    /// What was restored was confirmed.
    pub const CLUSTER_CONFIRMED: &str = "cluster.confirmed";
    /// Instances begin to come to a new spec, or to be restarted, some at a time.
    pub const ROLLOUT_STARTED: &str = "rollout.started";
    /// More instances than before have come to it and serve.
    pub const ROLLOUT_PROGRESSED: &str = "rollout.progressed";
    /// Its canaries serve; the others wait until somebody promotes it.
    pub const ROLLOUT_AWAITING: &str = "rollout.awaiting_promotion";
    /// Somebody, or its policy, lets the others follow the canaries.
    pub const ROLLOUT_PROMOTED: &str = "rollout.promoted";
    /// Somebody holds it.
    pub const ROLLOUT_PAUSED: &str = "rollout.paused";
    /// It goes on.
    pub const ROLLOUT_RESUMED: &str = "rollout.resumed";
    /// All instances have come to it and serve.
    pub const ROLLOUT_SUCCEEDED: &str = "rollout.succeeded";
    /// It was given up.
    pub const ROLLOUT_FAILED: &str = "rollout.failed";
    /// All instances are back at the spec before the one that failed.
    pub const ROLLOUT_REVERTED: &str = "rollout.reverted";
    /// A later change took its place.
    pub const ROLLOUT_SUPERSEDED: &str = "rollout.superseded";
    /// An action was queued.
    pub const ACTION_QUEUED: &str = "action.queued";
    /// An action reached its node.
    pub const ACTION_DELIVERED: &str = "action.delivered";
    /// An action is done.
    pub const ACTION_DONE: &str = "action.done";
    /// An action failed.
    pub const ACTION_FAILED: &str = "action.failed";
    /// An action was not taken up in time.
    pub const ACTION_EXPIRED: &str = "action.expired";
}

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Position in the cluster-wide order.
    pub revision: u64,
    /// When, by the clock of whoever saw it.
    pub time: Timestamp,
    /// One of [`event_type`].
    #[serde(rename = "type")]
    pub kind: String,
    /// The process it is about.
    pub process: Option<ProcessName>,
    /// The instance it is about.
    pub instance: Option<InstanceId>,
    /// The node it is about.
    pub node: Option<NodeName>,
    /// In words.
    pub message: String,
    /// Who caused it.
    pub actor: String,
    /// Data, by type.
    pub detail: Option<EventDetail>,
}

/// Data of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventDetail {
    /// The instance as it was then.
    Instance(InstanceDetail),
    /// The action as it was then.
    Action(Box<Action>),
    /// The rollout as it was then.
    Rollout(Box<RolloutDetail>),
}

/// An instance at the time of an event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceDetail {
    /// Its phase after the event.
    pub phase: Phase,
    /// Whether it serves.
    pub ready: bool,
    /// Process id; 0 when none runs.
    pub pid: u32,
    /// Restarts so far.
    pub restarts: u32,
    /// How it ended, when this event is an end.
    pub exit: Option<ExitStatus>,
    /// The last lines of its output, on events that a person will ask about.
    #[serde(default)]
    pub log_lines: Vec<String>,
}
