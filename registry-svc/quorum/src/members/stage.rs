//! One step of a change. Each is one call of the Raft library or one wait, and
//! each is safe to begin again.

use crate::{ReplicaId, listed};
use std::collections::BTreeSet;
use std::fmt;

/// A step towards a changed membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Begin to send it the log.
    AddLearner(ReplicaId),
    /// Wait until it lacks next to nothing.
    CatchUp(ReplicaId),
    /// The leader goes: another voter takes over first, and goes on with the plan.
    HandOver {
        /// Who leads now.
        from: ReplicaId,
        /// Who is to lead.
        to: ReplicaId,
    },
    /// Enter the joint configuration of the present voters and these.
    ChangeVoters(BTreeSet<ReplicaId>),
    /// Leave the joint configuration towards its second half.
    FinishJoint(BTreeSet<ReplicaId>),
    /// Stop sending it the log.
    DropLearner(ReplicaId),
    /// Write down that the number is gone, and turn its owner away from now on.
    Retire(ReplicaId),
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AddLearner(id) => write!(f, "send the log to replica {id}"),
            Self::CatchUp(id) => write!(f, "wait until replica {id} has caught up"),
            Self::HandOver { from, to } => write!(f, "hand leadership over from replica {from} to replica {to}"),
            Self::ChangeVoters(ids) => write!(f, "begin to let {} vote", listed(ids)),
            Self::FinishJoint(ids) => write!(f, "let only {} vote", listed(ids)),
            Self::DropLearner(id) => write!(f, "stop sending the log to replica {id}"),
            Self::Retire(id) => write!(f, "retire the number {id}"),
        }
    }
}
