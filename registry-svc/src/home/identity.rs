//! The founding mark: says that this directory was founded, as which replica
//! of which cluster, with which log. It stands apart from the log, because a
//! deleted log cannot be told from one that never was: starting without it
//! would make a replica that has forgotten its vote.

use super::{HomeError, files, sealed};
use registry_quorum::ReplicaId;
use std::fmt;
use std::path::Path;
use uuid::Uuid;

/// Whose directory it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    /// The cluster, as replicas know it among each other.
    pub cluster: Uuid,
    /// How often the cluster was recovered by force; 1 at its founding.
    pub epoch: u64,
    /// The replica within the cluster.
    pub replica: ReplicaId,
    /// This very directory; another one is another replica.
    pub store: Uuid,
    /// The highest number of an opening of the log that is known here. A log
    /// that knows of fewer is an older copy.
    pub boot: u64,
}

/// What the mark's file says.
pub(super) enum Mark {
    /// There is none.
    Missing,
    /// Today's.
    Current(Identity),
    /// Of the first format.
    First,
}

impl Identity {
    /// Of a directory whose log was never opened.
    #[must_use]
    pub fn new(cluster: Uuid, epoch: u64, replica: ReplicaId, store: Uuid) -> Self {
        Self { cluster, epoch, replica, store, boot: 0 }
    }

    /// Makes sure that it is the replica that it is taken for.
    ///
    /// # Errors
    /// [`HomeError::OtherReplica`].
    pub fn must_be(&self, replica: ReplicaId) -> Result<(), HomeError> {
        if self.replica == replica {
            return Ok(());
        }
        Err(HomeError::OtherReplica { found: self.replica, wanted: replica })
    }

    /// Whether both are of one directory, whatever their boots.
    pub(super) fn is_of(&self, other: &Self) -> bool {
        Self { boot: other.boot, ..*self } == *other
    }

    pub(super) fn read(path: &Path) -> Result<Mark, HomeError> {
        let Some(text) = files::read(path)? else { return Ok(Mark::Missing) };
        let damaged = || HomeError::IdentityDamaged(path.to_owned());
        let mut lines = text.as_deref().and_then(sealed::open).ok_or_else(damaged)?;
        match lines.parsed("format").ok_or_else(damaged)? {
            1 => Ok(Mark::First),
            2 => {
                let mut fields = || {
                    let identity = Self {
                        cluster: lines.parsed("cluster")?,
                        epoch: lines.parsed("epoch")?,
                        replica: ReplicaId(lines.parsed("replica")?),
                        store: lines.parsed("store")?,
                        boot: lines.parsed("boot")?,
                    };
                    lines.is_at_end().then_some(identity)
                };
                fields().map(Mark::Current).ok_or_else(damaged)
            }
            found => Err(HomeError::UnknownFormat { file: path.to_owned(), found }),
        }
    }

    /// Durable on return.
    pub(super) fn write(&self, path: &Path) -> Result<(), HomeError> {
        let Self { cluster, epoch, replica, store, boot } = self;
        let body =
            format!("format=2\ncluster={cluster}\nepoch={epoch}\nreplica={replica}\nstore={store}\nboot={boot}\n");
        files::write_durably(path, sealed::seal(&body).as_bytes(), "home.mark")
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, epoch, replica, store, boot: _ } = self;
        write!(f, "replica {replica} of cluster {cluster}, epoch {epoch}, store {store}")
    }
}

impl From<&Identity> for registry_log::Identity {
    fn from(identity: &Identity) -> Self {
        let Identity { cluster, epoch, replica, store, boot: _ } = *identity;
        Self { cluster: cluster.into_bytes(), replica: replica.0, epoch, store: store.into_bytes() }
    }
}
