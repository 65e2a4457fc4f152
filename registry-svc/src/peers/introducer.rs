//! What a replica says of itself to whoever asks, member of a cluster or not.

use futures::future::BoxFuture;
use registry_quorum::ReplicaId;
use registry_quorum::founding::{FoundingPlan, Introduction};

/// A replica, introduced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Introduced {
    /// What founding decides from.
    pub is: Introduction,
    /// The epoch of its cluster; 0 without one.
    pub epoch: u64,
    /// Its number; none without a cluster.
    pub id: Option<ReplicaId>,
    /// Its program version.
    pub version: String,
}

/// Introduces this replica.
pub trait Introducer: Send + Sync + 'static {
    /// What it is now. It must not wait.
    fn introduction(&self) -> Introduced;
}

/// Takes the plan of a cluster that is to be founded.
pub trait PlanTaker: Send + Sync + 'static {
    /// On success the plan is on the disk of this replica. An error says why
    /// it is not, for an operator.
    fn take(&self, plan: FoundingPlan) -> BoxFuture<'static, Result<(), String>>;
}
