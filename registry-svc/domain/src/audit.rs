//! Who asked for what, and what came of it: one entry for each request, in the
//! same log entry as the change itself, chained to the one before. What
//! runners report is no request; it stands in the events, with the node as its
//! actor.
//!
//! Enters: what a topic decided ([`Subject`]), or why it refused (`refused`).
//! Leaves: an entry, and the oldest ones dropped as the policy says. The last
//! one dropped stays as the anchor, so that the rest can be verified.

use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Header, history, limits, refused};
use process_model::audit::{Anchor, AuditChange, AuditEntry, AuditHash, AuditOutcome, GenerationStep, link};
use process_model::change::FieldChange;
use process_model::{ProcessName, Timestamp};

/// Changed fields listed in one entry; the rest is counted.
const CHANGES: usize = 200;
/// Characters of a value in an entry; the generations have it in full.
const VALUE: usize = 200;
/// Characters of a target: longer than any name, shorter than an attack.
const TARGET: usize = 200;

/// What an entry is about.
pub(crate) struct Subject {
    pub(crate) command: String,
    pub(crate) targets: Vec<String>,
    /// In the place of a reason that nobody gave.
    pub(crate) note: String,
    pub(crate) account: Account,
}

impl Subject {
    pub(crate) fn new<T: ToString>(command: &str, targets: impl IntoIterator<Item = T>) -> Self {
        let mut targets: Vec<String> = targets.into_iter().map(|t| t.to_string()).collect();
        let more = targets.len().saturating_sub(limits::AUDIT_TARGETS);
        for target in &mut targets {
            if let Some((end, _)) = target.char_indices().nth(TARGET) {
                target.truncate(end);
                target.push('…');
            }
        }
        if more > 0 {
            targets.truncate(limits::AUDIT_TARGETS);
            targets.push(format!("… and {more} more"));
        }
        Self { command: command.to_owned(), targets, note: String::new(), account: Account::default() }
    }

    pub(crate) fn with(self, account: Account) -> Self {
        Self { account, ..self }
    }
}

/// What a request did to specs, collected as it is done.
#[derive(Default)]
pub(crate) struct Account {
    generations: Vec<GenerationStep>,
    changes: Vec<AuditChange>,
    left_out: u64,
    /// Every deleted process; not bounded, as their histories end here.
    pub(crate) deleted: Vec<ProcessName>,
}

impl Account {
    pub(crate) fn step(&mut self, process: &ProcessName, from: u64, to: u64) {
        if to == 0 {
            self.deleted.push(process.clone());
        }
        if self.generations.len() < limits::AUDIT_TARGETS {
            self.generations.push(GenerationStep { process: process.clone(), from, to });
        } else {
            self.left_out += 1;
        }
    }

    pub(crate) fn changed(&mut self, process: &ProcessName, fields: Vec<FieldChange>) {
        for field in fields {
            if self.changes.len() < CHANGES {
                self.changes.push(AuditChange { process: process.clone(), field: field.shortened(VALUE) });
            } else {
                self.left_out += 1;
            }
        }
    }
}

/// Writes the entry of an accepted request and returns its number.
pub(crate) fn record(draft: &mut Draft<'_>, subject: Subject) -> u64 {
    refused::settle(draft);
    let header = std::mem::take(&mut draft.header);
    let deleted = subject.account.deleted.clone();
    let number = append(draft, &header, subject, AuditOutcome::Accepted);
    draft.header = header;
    history::close(draft, &deleted, number);
    trim(draft);
    number
}

/// Adds an entry to the chain and returns its number. Drops nothing.
pub(crate) fn append(draft: &mut Draft<'_>, header: &Header, subject: Subject, outcome: AuditOutcome) -> u64 {
    let previous = head(draft);
    let meta = &mut draft.touch(RowKey::Meta).meta;
    meta.audited += 1;
    let Subject { command, targets, note, account } = subject;
    let mut entry = AuditEntry {
        number: meta.audited,
        revision: meta.revision,
        time: header.time,
        actor: header.actor.clone(),
        source: source(header),
        command,
        targets,
        reason: if header.reason.is_empty() { note } else { header.reason.clone() },
        request_id: header.request_id.clone(),
        outcome,
        generations: account.generations,
        changes: account.changes,
        left_out: account.left_out,
        previous,
        hash: AuditHash::ZERO,
    };
    entry.hash = link(&previous, &entry);
    let number = entry.number;
    draft.touch(RowKey::Audit(number)).audit.insert(number, entry.into());
    number
}

/// The registry and the nodes are where their own commands come from.
pub(crate) fn source(header: &Header) -> String {
    let own = header.actor == "registry" || header.actor.starts_with("node:");
    if header.source.is_empty() && own { header.actor.clone() } else { header.source.clone() }
}

/// The hash that the next entry goes on from. Entries of the first version
/// have none: the chain begins after them.
fn head(draft: &mut Draft<'_>) -> AuditHash {
    let state = draft.state();
    let anchor = state.meta().audit_anchor;
    let begin = match state.audit().last() {
        Some((_, entry)) if !entry.hash.is_zero() => return entry.hash,
        Some((number, _)) => number,
        None if anchor.number == state.meta().audited => return anchor.hash,
        None => state.meta().audited,
    };
    draft.touch(RowKey::Meta).meta.audit_anchor = Anchor { number: begin, hash: AuditHash::ZERO };
    AuditHash::ZERO
}

/// Drops what the policy no longer keeps, and the histories of processes whose
/// deletion is among it.
pub(crate) fn trim(draft: &mut Draft<'_>) {
    let now = draft.header.time;
    let mut last = None;
    while let Some(number) = overdue(draft, now) {
        let state = draft.touch(RowKey::Audit(number));
        if let Some(entry) = state.audit.remove(number).filter(|entry| !entry.hash.is_zero()) {
            draft.touch(RowKey::Meta).meta.audit_anchor = Anchor::of(&entry);
        }
        last = Some(number);
    }
    if let Some(last) = last {
        history::forget(draft, last);
    }
}

/// The oldest entry, if it is one too many or too old. The newest is kept
/// whatever its age.
fn overdue(draft: &Draft<'_>, now: Timestamp) -> Option<u64> {
    let state = draft.state();
    let retention = &state.meta().retention;
    let (number, entry) = state.audit().first()?;
    let too_many = state.audit().len() as u64 > retention.audit_entries;
    let too_old = retention.is_over(entry.time, now) && number != state.meta().audited;
    (too_many || too_old).then_some(number)
}
