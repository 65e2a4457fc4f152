//! Why a forced recovery is not the way.

use crate::{ReplicaId, listed};
use std::collections::BTreeSet;
use std::fmt;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecoveryRefusal {
    /// No directory was given.
    Nothing,
    /// The directories are of different clusters.
    OtherClusters {
        /// The one.
        one: String,
        /// The other.
        other: String,
    },
    /// The directories are a majority of the voters: started, they lose nothing.
    QuorumLives(BTreeSet<ReplicaId>),
    /// The directory was fenced off by an earlier recovery.
    Fenced {
        /// The directory's replica.
        id: ReplicaId,
        /// Its epoch.
        epoch: u64,
        /// The newer one.
        newer: u64,
    },
    /// The directory has never been part of a cluster.
    NoMember(ReplicaId),
}

impl fmt::Display for RecoveryRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => {
                f.write_str("no data directory to recover from; to start from a backup use `pmctl backup restore`")
            }
            Self::OtherClusters { one, other } => {
                write!(f, "the directories belong to the clusters {one} and {other}; give those of one cluster only")
            }
            Self::QuorumLives(ids) => write!(
                f,
                "replicas {} are a majority of the voters, so nothing is lost: start them, and they elect a leader; a \
                 recovery would throw acknowledged changes away",
                listed(ids)
            ),
            Self::Fenced { id, epoch, newer } => write!(
                f,
                "replica {id} belongs to epoch {epoch}, which a recovery has ended; the cluster lives on in epoch \
                 {newer}; empty this directory and start it with --join"
            ),
            Self::NoMember(id) => {
                write!(
                    f,
                    "replica {id} knows no voters: it has never been part of a cluster, and there is nothing to recover"
                )
            }
        }
    }
}

impl std::error::Error for RecoveryRefusal {}
