//! Why a registry does not open.

use crate::home::HomeError;
use crate::machine::MachineOpenError;
use registry_consensus::ConsensusError;
use registry_quorum::founding::FoundingRefusal;
use std::io;

/// Why a registry does not open. It never goes on with less than it once
/// acknowledged.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The directory cannot be used.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The peers say that it must not start.
    #[error(transparent)]
    Founding(FoundingRefusal),
    /// The directory holds a plan to found with others, whom nobody named.
    #[error("this directory was about to found a cluster with {others} others: start it with the same --peers as then")]
    Planned {
        /// How many.
        others: usize,
    },
    /// A plan names a cluster in a way that none is named.
    #[error(
        "the plan to found names cluster {0:?}, which is no UUID: empty the directories of all founders and start them again"
    )]
    BadCluster(String),
    /// The cluster does not take it.
    #[error("the cluster does not enrol this replica, says {through}: {why}")]
    NotEnrolled {
        /// A member.
        through: String,
        /// Why.
        why: String,
    },
    /// The state cannot be read.
    #[error(transparent)]
    Machine(#[from] MachineOpenError),
    /// A later version was here.
    #[error(
        "this directory holds what only level {level} knows, and this replica knows up to {known}: start it with the version that it had, without --feature-level-max"
    )]
    Level {
        /// What it needs.
        level: u16,
        /// What is known here.
        known: u16,
    },
    /// A later version wrote something into the log.
    #[error("{0}")]
    Unknown(String),
    /// Neither state nor snapshot reach to where the log begins.
    #[error(
        "entries up to {purged} are no longer in the log, and no state or snapshot holds them: put back the directories `state` and `snapshots` that belong to this log"
    )]
    Hole {
        /// Where the log begins.
        purged: u64,
    },
    /// The consensus engine does not start.
    #[error(transparent)]
    Consensus(#[from] ConsensusError),
    /// The links to the other replicas do not start.
    #[error(transparent)]
    Links(#[from] service_host::transport::TransportError),
    /// A replica without others leads itself, or something is wrong.
    #[error("this replica, which has no others, did not begin to lead within a minute")]
    NotLeading,
    /// The system refused something.
    #[error("the system refused it")]
    Io(#[from] io::Error),
}

impl OpenError {
    /// What the process ends with, as `sysexits.h` names it.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Home(error) => error.exit_code(),
            Self::Founding(_)
            | Self::Planned { .. }
            | Self::BadCluster(_)
            | Self::NotEnrolled { .. }
            | Self::Level { .. }
            | Self::Unknown(_) => 78,
            Self::Machine(_) | Self::Hole { .. } => 65,
            Self::Consensus(_) | Self::Links(_) | Self::NotLeading => 70,
            Self::Io(_) => 74,
        }
    }
}
