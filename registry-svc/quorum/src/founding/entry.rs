//! How a fresh directory comes into a cluster, as it was told.

/// How a fresh directory comes into a cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Entry {
    /// It founds one with its peers; one that exists already it does not enter.
    #[default]
    Found,
    /// It joins one that exists, and never founds one.
    Join,
    /// It joins if a peer belongs to one already, and founds one else: for replicas that are started by a machine, which
    /// does not know.
    Either,
}

impl Entry {
    /// It may enter a cluster that exists.
    #[must_use]
    pub fn joins(self) -> bool {
        match self {
            Self::Found => false,
            Self::Join | Self::Either => true,
        }
    }

    /// It may be one of those that found a cluster.
    #[must_use]
    pub fn founds(self) -> bool {
        match self {
            Self::Join => false,
            Self::Found | Self::Either => true,
        }
    }
}
