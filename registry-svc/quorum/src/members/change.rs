//! What an operator may want of the membership.

use crate::ReplicaId;
use std::fmt;

/// A wanted change. Asking for what is already so is an empty plan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// Receive the log without a vote.
    Add(ReplicaId),
    /// A learner becomes a voter.
    Promote(ReplicaId),
    /// Voter or learner: gone for good, and its number with it.
    Remove(ReplicaId),
    /// One voter for another in one joint change, so that the number of votes never shrinks.
    Replace {
        /// Who goes.
        old: ReplicaId,
        /// Who comes.
        new: ReplicaId,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Add(id) => write!(f, "add replica {id}"),
            Self::Promote(id) => write!(f, "promote replica {id}"),
            Self::Remove(id) => write!(f, "remove replica {id}"),
            Self::Replace { old, new } => write!(f, "replace replica {old} by replica {new}"),
        }
    }
}
