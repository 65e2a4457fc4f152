//! What a directory is.

use super::Identity;
use registry_quorum::founding::FoundingPlan;

/// What a directory is. Everything else is a [`HomeError`](super::HomeError).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Never part of a cluster.
    Fresh,
    /// It holds the plan of a cluster, and no log that was used.
    Planned(FoundingPlan),
    /// A replica's.
    Founded(Identity),
}
