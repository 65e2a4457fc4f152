//! Why a replica does not begin. Each says what is wrong, why it matters and
//! the way back in, as it is printed before the process ends.

use crate::ReplicaId;
use std::fmt;

/// Why a replica does not begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoundingRefusal {
    /// `--replicas 0`.
    NoReplicas,
    /// More replicas introduced themselves than are to found.
    TooMany {
        /// How many were expected.
        expected: usize,
        /// The addresses that introduced themselves.
        addresses: Vec<String>,
    },
    /// A peer was started with another number.
    OtherCount {
        /// The peer.
        address: String,
        /// Its number.
        theirs: usize,
        /// Ours.
        ours: usize,
    },
    /// Two replicas have one address.
    SameAddress(String),
    /// Two replicas have one directory identity: a copy.
    SameStore {
        /// The one address.
        one: String,
        /// The other.
        other: String,
    },
    /// A cluster exists, and this replica is no member of it.
    NotAMember {
        /// The cluster.
        cluster: String,
        /// A member of it.
        through: String,
    },
    /// A cluster exists that knows this address with another directory.
    Wiped {
        /// The cluster.
        cluster: String,
        /// A member of it.
        through: String,
        /// The number under which the directory is missed.
        id: ReplicaId,
    },
    /// Peers belong to clusters that differ, or to another one than this replica.
    OtherCluster {
        /// The peer.
        address: String,
        /// Its cluster.
        theirs: String,
        /// The other one.
        ours: String,
    },
    /// Two plans: two sets of replicas were about to found.
    TwoPlans {
        /// The peer with the other plan.
        address: String,
    },
    /// A founder has lost its directory between plan and start.
    PlanBroken {
        /// The founder's address.
        address: String,
    },
    /// `--join`, but the directory holds a plan to found.
    JoinWithPlan,
}

impl fmt::Display for FoundingRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoReplicas => {
                f.write_str("--replicas is 0: nobody can vote in a cluster of none; start with --replicas 1, 3 or 5")
            }
            Self::TooMany { expected, addresses } => write!(
                f,
                "{} fresh replicas introduced themselves ({}), but {expected} are to found: two clusters could come of \
                 it; start all with the same --peers and --replicas, or stop those that do not belong here",
                addresses.len(),
                addresses.join(", ")
            ),
            Self::OtherCount { address, theirs, ours } => write!(
                f,
                "{address} was started with --replicas {theirs}, this replica with {ours}: they would not agree on a \
                 majority; start all with the same number"
            ),
            Self::SameAddress(address) => write!(
                f,
                "two replicas advertise {address}: their messages could not be told apart; give each its own --advertise"
            ),
            Self::SameStore { one, other } => write!(
                f,
                "{one} and {other} have the same directory identity, so one is a copy of the other: both would vote \
                 with one voice twice; empty the copy's directory and start it again"
            ),
            Self::NotAMember { cluster, through } => write!(
                f,
                "{through} belongs to cluster {cluster}, which exists already, and this replica is not a member: a \
                 second cluster beside it would split the truth; start this replica with --join, then run \
                 `pmctl cluster join`"
            ),
            Self::Wiped { cluster, through, id } => write!(
                f,
                "{through} of cluster {cluster} knows this address as replica {id} with another data directory, so \
                 this one was emptied or replaced: under its old number it could vote a second time; start it with \
                 --join as a new replica, then run `pmctl cluster join NEW --replaces {id}`"
            ),
            Self::OtherCluster { address, theirs, ours } => write!(
                f,
                "{address} belongs to cluster {theirs}, others here to {ours}: they must not be mixed; correct --peers"
            ),
            Self::TwoPlans { address } => write!(
                f,
                "{address} is about to found another cluster than this replica: no founder may serve two; start all \
                 with the same --peers, and empty the directories of those that hold the wrong plan (nothing was \
                 stored in them yet)"
            ),
            Self::PlanBroken { address } => write!(
                f,
                "{address} has lost its directory after the cluster was planned and before it was founded; nothing \
                 was stored yet: empty the directories of all founders and start them again"
            ),
            Self::JoinWithPlan => f.write_str(
                "--join was given, but this directory holds a plan to found a cluster: it cannot do both; start \
                 without --join, or empty the directory first (nothing was stored in it yet)",
            ),
        }
    }
}

impl std::error::Error for FoundingRefusal {}
