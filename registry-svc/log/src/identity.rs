//! Whose log it is.

use std::fmt;

/// Stands in every segment and every mark, so that a file of another cluster,
/// replica, epoch or directory is never taken for one of this log. It never
/// changes: another identity is another log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The cluster, as the caller numbers clusters (a UUID's bytes).
    pub cluster: [u8; 16],
    /// The replica within the cluster.
    pub replica: u64,
    /// How often the cluster was recovered by force.
    pub epoch: u64,
    /// This very directory; chosen at random when it is made.
    pub store: [u8; 16],
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (cluster, store) = (u128::from_be_bytes(self.cluster), u128::from_be_bytes(self.store));
        write!(f, "replica {} of cluster {cluster:032x}, epoch {}, store {store:032x}", self.replica, self.epoch)
    }
}
