//! Why a change of the members is not begun now: what, why, the way on.

use super::Change;
use crate::{ReplicaId, listed};
use std::collections::BTreeSet;
use std::fmt;

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MemberRefusal {
    /// The number was a member once.
    Gone(ReplicaId),
    /// The number was never given out.
    NotEnrolled(ReplicaId),
    /// Not a member.
    NotAMember(ReplicaId),
    /// A voter cannot become a learner; it is removed, or stays.
    Votes(ReplicaId),
    /// One change at a time.
    UnderWay {
        /// What was asked.
        asked: Change,
        /// The voters that the change under way leads to.
        towards: BTreeSet<ReplicaId>,
    },
    /// The present voters have no reachable majority: nothing can be committed.
    NoQuorum {
        /// Who does not answer.
        missing: BTreeSet<ReplicaId>,
    },
    /// The coming voters would have no reachable majority.
    WouldLoseQuorum {
        /// Who would vote.
        voters: BTreeSet<ReplicaId>,
        /// Who of them does not answer.
        missing: BTreeSet<ReplicaId>,
    },
    /// Who is to vote does not answer.
    Unreachable(ReplicaId),
    /// The last voter cannot go.
    LastVoter(ReplicaId),
    /// The leader is to go and nobody could take over.
    NoHeir(ReplicaId),
    /// Somebody cannot replace himself.
    Same(ReplicaId),
}

impl fmt::Display for MemberRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone(id) => write!(
                f,
                "replica {id} was removed, and a number is never used again: a voter that comes back without its past \
                 could vote twice; empty its directory and start it with --join to get a new number"
            ),
            Self::NotEnrolled(id) => write!(
                f,
                "nobody has enrolled as replica {id}; start the new replica with --join and use the number that it prints"
            ),
            Self::NotAMember(id) => {
                write!(f, "replica {id} is not a member; `pmctl cluster members` lists those that are")
            }
            Self::Votes(id) => write!(f, "replica {id} votes already; to take its vote away, remove it"),
            Self::UnderWay { asked, towards } => write!(
                f,
                "cannot {asked} now: a change towards the voters {} is under way, and two at once could make two \
                 majorities; it is finished by itself once both its halves have a majority; then ask again",
                listed(towards)
            ),
            Self::NoQuorum { missing } => write!(
                f,
                "no majority of the voters answers (missing: {}), so no change can be committed; bring them back, or \
                 if their disks are lost use `pmctl cluster recover`",
                listed(missing)
            ),
            Self::WouldLoseQuorum { voters, missing } => write!(
                f,
                "the voters would be {}, and without {} they have no majority: the cluster would stand still; bring \
                 them back, or replace the dead ones first",
                listed(voters),
                listed(missing)
            ),
            Self::Unreachable(id) => {
                write!(f, "replica {id} does not answer, so it would not help to count its vote; start it first")
            }
            Self::LastVoter(id) => write!(
                f,
                "replica {id} is the only voter: without it there is no cluster; add another one first, or stop it"
            ),
            Self::NoHeir(id) => write!(
                f,
                "replica {id} leads and has to hand over before it goes, but no other voter that stays answers"
            ),
            Self::Same(id) => {
                write!(f, "replica {id} cannot replace itself; to give it a new disk, start it with --join")
            }
        }
    }
}

impl std::error::Error for MemberRefusal {}
