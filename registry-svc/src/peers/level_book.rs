//! Which commands the other replicas know, as each said when it dialled us
//! last.

use registry_quorum::ReplicaId;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::watch;

/// What a replica says that it knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The highest level of commands.
    pub level: u16,
    /// Its program version.
    pub version: String,
}

/// What the others know. Clones share it.
#[derive(Debug, Clone)]
pub struct LevelBook(Arc<watch::Sender<BTreeMap<ReplicaId, Known>>>);

impl Default for LevelBook {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(BTreeMap::new())))
    }
}

impl LevelBook {
    pub(super) fn note(&self, id: ReplicaId, level: u16, version: &str) {
        let known = Known { level, version: version.to_owned() };
        self.0.send_if_modified(|all| all.insert(id, known.clone()).as_ref() != Some(&known));
    }

    /// What all say, and each change of it.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<BTreeMap<ReplicaId, Known>> {
        self.0.subscribe()
    }
}
