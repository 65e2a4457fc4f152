//! Why a leader stopped leading, and how a hand-over ended.

use crate::ReplicaId;
use std::fmt;

/// Why a leader suspends itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    /// No majority acknowledged anything for an election timeout.
    NoQuorum,
    /// Its own disk does not finish a flush.
    DiskStalled,
    /// Its own log cannot take another record.
    DiskFull,
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoQuorum => "no majority of the voters answers",
            Self::DiskStalled => "the disk does not finish its writes",
            Self::DiskFull => "the disk is full",
        })
    }
}

/// How a hand-over ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HandOverEnd {
    /// We no longer lead.
    Done,
    /// We do not lead, or lead with a suspension; there is nothing to hand over.
    NotLeading,
    /// No such voter, or nobody that could take it.
    NoHeir,
    /// The heir said no, or its link broke.
    Refused(ReplicaId),
    /// Too slow; we go on leading.
    TimedOut(ReplicaId),
}

impl fmt::Display for HandOverEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("leadership was handed over"),
            Self::NotLeading => f.write_str("this replica does not lead"),
            Self::NoHeir => f.write_str("no connected voter could take over"),
            Self::Refused(heir) => write!(f, "replica {heir} refused to take over, or its connection broke"),
            Self::TimedOut(heir) => write!(f, "replica {heir} did not take over in time"),
        }
    }
}
