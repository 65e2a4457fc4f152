//! Who founds a cluster, under which numbers.

use super::Introduction;
use crate::ReplicaId;
use std::collections::BTreeMap;

/// One of the founders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Founder {
    /// Where it is reached, as it says itself.
    pub address: String,
    /// The identity of its directory; another directory is another replica.
    pub store: String,
}

/// A cluster to be: written durably by every founder before the first of them starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundingPlan {
    /// The identity of the cluster, made by the coordinator.
    pub cluster: String,
    /// The founders under their numbers, from 1 on in the order of their addresses.
    pub founders: BTreeMap<ReplicaId, Founder>,
}

impl FoundingPlan {
    /// The plan of these replicas.
    pub(super) fn of<'a>(cluster: &str, all: impl IntoIterator<Item = &'a Introduction>) -> Self {
        let mut founders: Vec<Founder> = all.into_iter().map(Founder::from).collect();
        founders.sort_unstable_by(|one, other| one.address.cmp(&other.address));
        let founders = (1..).map(ReplicaId).zip(founders).collect();
        Self { cluster: cluster.to_owned(), founders }
    }

    /// The number of this replica in the plan, if its directory is the one that was planned with.
    #[must_use]
    pub fn number_of(&self, introduction: &Introduction) -> Option<ReplicaId> {
        let found = self.founders.iter().find(|(_, founder)| founder.store == introduction.store);
        found.map(|(id, _)| *id)
    }
}

impl From<&Introduction> for Founder {
    fn from(introduction: &Introduction) -> Self {
        Self { address: introduction.address.clone(), store: introduction.store.clone() }
    }
}
