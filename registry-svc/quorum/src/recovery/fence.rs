//! The fence behind a recovery. Every header between replicas carries cluster
//! and epoch; whoever was left behind is turned away, whatever term it claims.

use crate::ReplicaId;
use std::fmt;

/// What every header says of its sender, and what a replica knows of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fence {
    /// The cluster.
    pub cluster: String,
    /// Counts the forced recoveries of this cluster.
    pub epoch: u64,
    /// The number.
    pub id: ReplicaId,
}

/// What becomes of the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Met {
    /// One of us.
    Welcome,
    /// Of another cluster: turned away.
    Foreign {
        /// Its cluster.
        theirs: String,
        /// Ours.
        ours: String,
    },
    /// Left behind by a recovery: turned away, and told so.
    TurnedAway {
        /// Its number.
        id: ReplicaId,
        /// Its epoch.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
    /// We were left behind ourselves: this process has to end.
    LeftBehind {
        /// Our number.
        id: ReplicaId,
        /// The sender's epoch.
        theirs: u64,
        /// Ours.
        ours: u64,
    },
}

impl Fence {
    /// Judges the sender of a header.
    #[must_use]
    pub fn meet(&self, sender: &Self) -> Met {
        if sender.cluster != self.cluster {
            return Met::Foreign { theirs: sender.cluster.clone(), ours: self.cluster.clone() };
        }
        match sender.epoch.cmp(&self.epoch) {
            std::cmp::Ordering::Equal => Met::Welcome,
            std::cmp::Ordering::Less => Met::TurnedAway { id: sender.id, theirs: sender.epoch, ours: self.epoch },
            std::cmp::Ordering::Greater => Met::LeftBehind { id: self.id, theirs: sender.epoch, ours: self.epoch },
        }
    }
}

impl fmt::Display for Met {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Welcome => f.write_str("welcome"),
            Self::Foreign { theirs, ours } => {
                write!(
                    f,
                    "cluster {theirs} and cluster {ours} must not be mixed; correct --peers or the data directory"
                )
            }
            Self::TurnedAway { id, theirs, ours } | Self::LeftBehind { id, theirs: ours, ours: theirs } => write!(
                f,
                "replica {id} of epoch {theirs} is fenced by epoch {ours}: the cluster was recovered without it, and \
                 what only it knows is given up; keep its directory aside, start an empty one with --join, then run \
                 `pmctl cluster join`"
            ),
        }
    }
}
