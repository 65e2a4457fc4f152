//! A stored process.

use process_model::{ProcessSpec, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A stored process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// What the user asked for.
    pub spec: Arc<ProcessSpec>,
    /// Grows by one with each change of the spec.
    pub generation: u64,
    /// Revision of the last change of the spec.
    pub changed: u64,
    /// Where it came from.
    pub source: String,
    /// When it was first applied.
    pub created: Timestamp,
    /// When its spec last changed.
    pub updated: Timestamp,
}

impl Process {
    /// Opaque version. Made from the revision, not the generation, so that a
    /// process that was deleted and made anew has another one.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("{:x}-{:x}", self.changed, self.generation)
    }

    /// Whether instances of this process need not notice a change to `spec`:
    /// it differs only in what the registry itself acts on. Without this, a
    /// change of the number of instances would restart all of them.
    #[must_use]
    pub fn runs_like(&self, spec: &ProcessSpec) -> bool {
        let mut old = ProcessSpec::clone(&self.spec);
        old.instances = spec.instances;
        old.autostart = spec.autostart;
        old.labels.clone_from(&spec.labels);
        old == *spec
    }
}
