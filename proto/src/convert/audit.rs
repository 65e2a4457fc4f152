//! Audit entries and changes of specs. Both directions: whoever verifies the
//! audit log computes the hash of what came over the wire.

use super::{WireFault, timestamp_from_wire, timestamp_to_wire};
use crate::v1;
use process_model::ProcessName;
use process_model::audit::{Anchor, AuditChange, AuditEntry, AuditHash, AuditOutcome, GenerationStep};
use process_model::change::FieldChange;

impl From<&FieldChange> for v1::FieldChange {
    fn from(change: &FieldChange) -> Self {
        let FieldChange { path, before, after, hidden } = change.clone();
        Self { path, before, after, hidden }
    }
}

impl From<v1::FieldChange> for FieldChange {
    fn from(change: v1::FieldChange) -> Self {
        let v1::FieldChange { path, before, after, hidden } = change;
        Self { path, before, after, hidden }
    }
}

impl From<&Anchor> for v1::AuditAnchor {
    fn from(anchor: &Anchor) -> Self {
        Self { number: anchor.number, hash: anchor.hash.to_string() }
    }
}

impl TryFrom<&v1::AuditAnchor> for Anchor {
    type Error = WireFault;

    fn try_from(anchor: &v1::AuditAnchor) -> Result<Self, WireFault> {
        Ok(Self { number: anchor.number, hash: hash("hash", &anchor.hash)? })
    }
}

impl From<&AuditEntry> for v1::AuditEntry {
    fn from(entry: &AuditEntry) -> Self {
        let (outcome, refusal_reason, count) = match &entry.outcome {
            AuditOutcome::Accepted => (v1::AuditOutcome::Accepted, String::new(), 0),
            AuditOutcome::Refused { reason, count } => (v1::AuditOutcome::Refused, reason.clone(), *count),
        };
        // An entry that stands before the chain has neither.
        let hash = |hash: &AuditHash| if entry.hash.is_zero() { String::new() } else { hash.to_string() };
        Self {
            revision: entry.revision,
            time: Some(timestamp_to_wire(entry.time)),
            actor: entry.actor.clone(),
            command: entry.command.clone(),
            targets: entry.targets.clone(),
            reason: entry.reason.clone(),
            request_id: entry.request_id.clone(),
            number: entry.number,
            source: entry.source.clone(),
            outcome: outcome.into(),
            refusal_reason,
            count,
            generations: entry.generations.iter().map(step).collect(),
            changes: entry.changes.iter().map(change).collect(),
            left_out: entry.left_out,
            previous_hash: hash(&entry.previous),
            hash: hash(&entry.hash),
        }
    }
}

fn step(step: &GenerationStep) -> v1::GenerationStep {
    v1::GenerationStep { process: step.process.to_string(), from: step.from, to: step.to }
}

fn change(change: &AuditChange) -> v1::AuditChange {
    v1::AuditChange { process: change.process.to_string(), field: Some((&change.field).into()) }
}

impl TryFrom<&v1::AuditEntry> for AuditEntry {
    type Error = WireFault;

    fn try_from(entry: &v1::AuditEntry) -> Result<Self, WireFault> {
        let time = entry.time.as_ref().ok_or_else(|| WireFault::missing("time"))?;
        let outcome = match entry.outcome() {
            v1::AuditOutcome::Accepted if entry.refusal_reason.is_empty() && entry.count == 0 => AuditOutcome::Accepted,
            v1::AuditOutcome::Accepted => return Err(WireFault::new("outcome", "is accepted, with a refusal")),
            v1::AuditOutcome::Refused => {
                AuditOutcome::Refused { reason: entry.refusal_reason.clone(), count: entry.count }
            }
            v1::AuditOutcome::Unspecified => return Err(WireFault::missing("outcome")),
        };
        let changes = entry.changes.iter().map(|change| {
            let field = change.field.clone().ok_or_else(|| WireFault::missing("changes.field"))?;
            Ok(AuditChange { process: name("changes.process", &change.process)?, field: field.into() })
        });
        let steps = entry.generations.iter().map(|step| {
            Ok(GenerationStep { process: name("generations.process", &step.process)?, from: step.from, to: step.to })
        });
        Ok(Self {
            number: entry.number,
            revision: entry.revision,
            time: timestamp_from_wire("time", time)?,
            actor: entry.actor.clone(),
            source: entry.source.clone(),
            command: entry.command.clone(),
            targets: entry.targets.clone(),
            reason: entry.reason.clone(),
            request_id: entry.request_id.clone(),
            outcome,
            generations: steps.collect::<Result<_, WireFault>>()?,
            changes: changes.collect::<Result<_, WireFault>>()?,
            left_out: entry.left_out,
            previous: hash("previous_hash", &entry.previous_hash)?,
            hash: hash("hash", &entry.hash)?,
        })
    }
}

fn name(field: &'static str, text: &str) -> Result<ProcessName, WireFault> {
    text.parse().map_err(|error: process_model::InvalidName| WireFault::new(field, error.to_string()))
}

fn hash(field: &'static str, text: &str) -> Result<AuditHash, WireFault> {
    if text.is_empty() {
        return Ok(AuditHash::ZERO);
    }
    text.parse().map_err(|error: process_model::audit::InvalidHash| WireFault::new(field, error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use process_model::Timestamp;

    #[test]
    fn an_entry_comes_back_from_the_wire_with_the_same_hash() {
        let web: ProcessName = "web".parse().unwrap();
        let field = FieldChange {
            path: "env.A".into(),
            before: None,
            after: Some(process_model::change::MASK.into()),
            hidden: true,
        };
        let mut entry = AuditEntry {
            number: 3,
            revision: 9,
            time: Timestamp(-1_500_000_001),
            actor: "zoë".into(),
            source: "10.0.0.7:5".into(),
            command: "apply".into(),
            targets: vec!["web".into(), String::new()],
            reason: "why\n".into(),
            request_id: "r".into(),
            outcome: AuditOutcome::Refused { reason: "NOT_FOUND".into(), count: 2 },
            generations: vec![GenerationStep { process: web.clone(), from: 0, to: 1 }],
            changes: vec![AuditChange { process: web, field }],
            left_out: 4,
            previous: AuditHash::new([7; 32]),
            hash: AuditHash::ZERO,
        };
        for outcome in [AuditOutcome::Accepted, entry.outcome.clone()] {
            entry.outcome = outcome;
            entry.hash = process_model::audit::link(&entry.previous, &entry);
            assert_eq!(AuditEntry::try_from(&v1::AuditEntry::from(&entry)), Ok(entry.clone()));
        }
        let mut wire = v1::AuditEntry::from(&entry);
        wire.hash.truncate(10);
        assert_eq!(AuditEntry::try_from(&wire).unwrap_err().field, "hash");
    }
}
