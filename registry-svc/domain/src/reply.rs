//! What leaves: the answer to a command, the events, which rows changed, and
//! whom it concerns.

use crate::{Refusal, RowKey};
use process_model::{Event, InstanceId, NodeName, ProcessName};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Everything that a command led to.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// The answer.
    pub reply: Result<Reply, Refusal>,
    /// What happened, in the order of revisions.
    pub events: Vec<Arc<Event>>,
    /// Rows that are new, different or gone, each once and in order; what they
    /// are now, the state says.
    pub touched: Vec<RowKey>,
    /// The nodes that have something else to do than before, or for which an
    /// action waits.
    pub orders: BTreeSet<NodeName>,
}

/// The answer to an accepted command. Small: it is kept for repeated requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reply {
    /// To `Apply`.
    Applied {
        /// One for each spec, in the order of the request, then the pruned.
        results: Vec<Applied>,
        /// Revision after it.
        revision: u64,
    },
    /// To `Delete`.
    Deleted {
        /// The processes.
        names: Vec<ProcessName>,
        /// Instances that have yet to end.
        instances: Vec<InstanceId>,
        /// Revision after it.
        revision: u64,
    },
    /// To `Switch`.
    Switched {
        /// Numbers of the actions; see [`crate::action_id`].
        actions: Vec<u64>,
        /// Revision after it.
        revision: u64,
    },
    /// To `Enroll`.
    Enrolled {
        /// The number.
        id: u64,
        /// Revision after it.
        revision: u64,
    },
    /// To the last step of a restore.
    Restored {
        /// Digest of what was restored.
        digest: [u8; 32],
        /// Id of the cluster from now on.
        cluster_id: String,
        /// The state's part of the cluster's epoch.
        epoch: u64,
        /// Revision that the backup was taken at.
        backup_revision: u64,
        /// Processes that were restored.
        processes: u64,
        /// Instances that were restored.
        instances: u64,
        /// Revision after it.
        revision: u64,
    },
    /// To what is said of rollouts.
    Rollouts {
        /// The processes.
        processes: Vec<ProcessName>,
        /// Revision after it.
        revision: u64,
    },
    /// To everything that is no request of a user.
    Noted {
        /// Revision after it.
        revision: u64,
    },
}

impl Reply {
    /// Revision after the command.
    #[must_use]
    pub fn revision(&self) -> u64 {
        match self {
            Self::Applied { revision, .. }
            | Self::Deleted { revision, .. }
            | Self::Switched { revision, .. }
            | Self::Enrolled { revision, .. }
            | Self::Restored { revision, .. }
            | Self::Rollouts { revision, .. }
            | Self::Noted { revision } => *revision,
        }
    }
}

/// What applying did to one process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Applied {
    /// The process.
    pub name: ProcessName,
    /// What happened to it.
    pub outcome: ApplyOutcome,
}

/// What applying does to a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ApplyOutcome {
    /// It is new.
    Created,
    /// Its spec changed.
    Updated,
    /// Its spec was the same already.
    Unchanged,
    /// Its source no longer has it.
    Pruned,
}
