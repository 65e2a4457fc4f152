//! Who asked for what, and why: one entry for each accepted request, in the
//! same log entry as the change itself. What runners report is no request; it
//! stands in the events, with the node as its actor.

use crate::draft::Draft;
use crate::limits;
use crate::row::RowKey;
use process_model::Timestamp;
use serde::{Deserialize, Serialize};

/// One change that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditEntry {
    /// Counts from 1, without a gap.
    pub number: u64,
    /// Revision after the change.
    pub revision: u64,
    /// When the leader took it in.
    pub time: Timestamp,
    /// Who.
    pub actor: String,
    /// The command.
    pub command: String,
    /// What it was about, by name.
    pub targets: Vec<String>,
    /// Why.
    pub reason: String,
    /// Idempotency key.
    pub request_id: String,
}

/// What an entry is about.
pub(crate) struct Subject {
    command: &'static str,
    targets: Vec<String>,
}

impl Subject {
    pub(crate) fn new<T: ToString>(command: &'static str, targets: impl IntoIterator<Item = T>) -> Self {
        let mut targets: Vec<String> = targets.into_iter().map(|t| t.to_string()).collect();
        let more = targets.len().saturating_sub(limits::AUDIT_TARGETS);
        if more > 0 {
            targets.truncate(limits::AUDIT_TARGETS);
            targets.push(format!("… and {more} more"));
        }
        Self { command, targets }
    }
}

/// Writes the entry and returns its number.
pub(crate) fn record(draft: &mut Draft<'_>, subject: Subject) -> u64 {
    let header = draft.header.clone();
    let meta = &mut draft.touch(RowKey::Meta).meta;
    meta.audited += 1;
    let (number, revision) = (meta.audited, meta.revision);
    let entry = AuditEntry {
        number,
        revision,
        time: header.time,
        actor: header.actor,
        command: subject.command.to_owned(),
        targets: subject.targets,
        reason: header.reason,
        request_id: header.request_id,
    };
    draft.touch(RowKey::Audit(number)).audit.insert(number, entry.into());
    if let Some(old) = number.checked_sub(limits::AUDIT_ENTRIES as u64).filter(|n| draft.state().audit.contains_key(n))
    {
        draft.touch(RowKey::Audit(old)).audit.remove(&old);
    }
    number
}
