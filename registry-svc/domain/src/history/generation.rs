//! One generation, and what is known of all generations of a name.

use crate::Process;
use process_model::{ProcessName, ProcessSpec, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// A spec as it was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Generation {
    /// The process.
    pub process: ProcessName,
    /// Its number.
    pub generation: u64,
    /// The spec.
    pub spec: Arc<ProcessSpec>,
    /// Revision of the change.
    pub revision: u64,
    /// When.
    pub time: Timestamp,
    /// Who; empty: it is older than the histories.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Where the request came from.
    pub source: String,
    /// What the specs came from, as the request said.
    pub origin: String,
    /// The generation that it brings back; `None`: it is new.
    #[serde(default)]
    pub restored: Option<u64>,
}

impl Generation {
    /// The generation that a process has now, as far as its own row tells.
    #[must_use]
    pub fn of(process: &Process) -> Self {
        Self {
            process: process.spec.name.clone(),
            generation: process.generation,
            spec: process.spec.clone(),
            revision: process.changed,
            time: process.updated,
            actor: String::new(),
            reason: String::new(),
            source: String::new(),
            origin: process.source.clone(),
            restored: None,
        }
    }
}

/// What is known of all generations of a name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    /// The name.
    pub process: ProcessName,
    /// The newest generation.
    pub last: u64,
    /// Number of the audit entry of its deletion; `None`: it is there.
    pub deleted: Option<u64>,
}
