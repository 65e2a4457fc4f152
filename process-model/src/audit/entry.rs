//! One entry of the audit log. Entries of the first version had none of the
//! fields with a default; they are read for ever, and stand before the chain.

use super::AuditHash;
use crate::change::FieldChange;
use crate::{ProcessName, Timestamp};
use serde::{Deserialize, Serialize};

/// One change that was asked for, carried out or refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Counts from 1, without a gap.
    pub number: u64,
    /// Revision after it.
    pub revision: u64,
    /// When the leader took it in.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// Where it came from: an address, `node:NAME`, `registry`.
    #[serde(default)]
    pub source: String,
    /// The command.
    pub command: String,
    /// What it was about, by name.
    pub targets: Vec<String>,
    /// Why.
    pub reason: String,
    /// Idempotency key.
    pub request_id: String,
    /// What came of it.
    #[serde(default)]
    pub outcome: AuditOutcome,
    /// Processes whose spec it changed.
    #[serde(default)]
    pub generations: Vec<GenerationStep>,
    /// Fields of specs that it changed.
    #[serde(default)]
    pub changes: Vec<AuditChange>,
    /// Generations and changes that are too many to be listed.
    #[serde(default)]
    pub left_out: u64,
    /// Hash of the entry before; zero: there is none.
    #[serde(default)]
    pub previous: AuditHash,
    /// Hash of this one; zero: it stands before the chain.
    #[serde(default)]
    pub hash: AuditHash,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditOutcome {
    /// It was carried out.
    #[default]
    Accepted,
    /// It was not, and has changed nothing.
    Refused {
        /// Stable reason, as `NOT_FOUND`.
        reason: String,
        /// How often: attempts that are alike share an entry.
        count: u64,
    },
}

/// A process and its spec before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GenerationStep {
    /// The process.
    pub process: ProcessName,
    /// Generation before; 0: there was none.
    pub from: u64,
    /// Generation after; 0: it was deleted.
    pub to: u64,
}

/// A changed field of a process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditChange {
    /// The process.
    pub process: ProcessName,
    /// The field; what is secret is masked.
    pub field: FieldChange,
}
