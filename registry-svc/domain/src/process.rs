//! A stored process.

use crate::Rollout;
use process_model::{ProcessSpec, Timestamp, change};
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
    /// How its instances come to it: the rollout that goes on, or the last one.
    #[serde(default)]
    pub rollout: Option<Arc<Rollout>>,
}

impl Process {
    /// Opaque version. Made from the revision, not the generation, so that a
    /// process that was deleted and made anew has another one.
    #[must_use]
    pub fn etag(&self) -> String {
        format!("{:x}-{:x}", self.changed, self.generation)
    }

    /// Its rollout, while that may do something yet.
    #[must_use]
    pub fn active_rollout(&self) -> Option<&Rollout> {
        self.rollout.as_deref().filter(|rollout| rollout.is_active())
    }

    /// When it has to be looked at.
    pub(crate) fn due(&self) -> Option<Timestamp> {
        self.rollout.as_ref().and_then(|rollout| rollout.due)
    }

    /// Whether instances of this process need not notice a change to `spec`:
    /// it differs only in what the registry itself acts on. Without this, a
    /// change of the number of instances would restart all of them.
    #[must_use]
    pub fn runs_like(&self, spec: &ProcessSpec) -> bool {
        !change::is_noticed(&self.spec, spec)
    }
}
