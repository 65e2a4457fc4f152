//! What a replica says of itself before it is a member of anything.

use super::{Founder, FoundingPlan};
use crate::ReplicaId;
use std::collections::BTreeMap;

/// A replica, as it introduces itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Introduction {
    /// Its advertised address.
    pub address: String,
    /// The identity of its directory, made when the directory was.
    pub store: String,
    /// How many replicas it was told to found with.
    pub replicas: usize,
    /// What its directory holds.
    pub condition: Condition,
}

/// What a directory holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// Nothing: never part of a cluster.
    Fresh,
    /// A plan, and no log yet.
    Planned(FoundingPlan),
    /// A replica of a cluster that exists.
    Founded {
        /// The cluster.
        cluster: String,
        /// Its members as far as this one knows.
        members: BTreeMap<ReplicaId, Founder>,
    },
}
