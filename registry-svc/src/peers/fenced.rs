//! This replica must end.

use registry_quorum::ReplicaId;

/// This replica was turned away for good, by one that may say so: print why,
/// and end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fenced {
    /// By whom.
    pub by: ReplicaId,
    /// Why, and the way back in, for an operator.
    pub why: String,
    /// Its own cluster says so: it must not come again with this directory.
    pub for_good: bool,
}
