//! What this node has, told to a registry that looks on after a restore: it
//! compares that with what it restored, and nothing is done to any of it
//! before somebody has confirmed.

use super::Roster;
use crate::instance::Seen;
use pm_proto::v1;
use process_model::InstanceId;

/// Instances in one message: about 100 bytes each.
const PART: usize = 1_000;

impl Roster {
    /// Everything, as messages; at least one, which says that it is complete.
    pub(crate) fn inventory(&self) -> Vec<v1::Report> {
        let entries: Vec<_> =
            self.seen().iter().filter(|(_, seen)| !seen.gone).map(|(id, seen)| entry(id, seen)).collect();
        let mut parts: Vec<v1::Report> =
            entries.chunks(PART).map(|part| v1::Report { inventory: part.to_vec(), ..v1::Report::default() }).collect();
        if parts.is_empty() {
            parts.push(v1::Report::default());
        }
        if let Some(first) = parts.first_mut() {
            first.inventory_begins = true;
        }
        if let Some(last) = parts.last_mut() {
            last.inventory_complete = true;
        }
        parts
    }
}

fn entry(id: &InstanceId, seen: &Seen) -> v1::InstanceInventory {
    let assignment = &seen.assignment;
    v1::InstanceInventory {
        instance_id: id.to_string(),
        generation: assignment.generation,
        spec_hash: assignment.spec.fingerprint().map(|hash| hash.to_vec().into()).unwrap_or_default(),
        phase: v1::InstancePhase::from(seen.view.phase).into(),
        pid: seen.view.pid,
        restarts: seen.view.restarts,
        wanted: assignment.wanted,
        restart_count: assignment.restart_count,
    }
}
