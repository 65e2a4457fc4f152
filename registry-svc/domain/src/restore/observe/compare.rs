//! What was restored beside what runs.

use super::InventoryEntry;
use crate::{Instance, State};
use process_model::{InstanceId, NodeName, change};
use std::collections::BTreeMap;

/// How an instance that was restored compares with what its node has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finding {
    /// It is as it was restored.
    Adopted,
    /// It has another spec.
    Differs,
    /// It runs and was restored as stopped.
    Runs,
    /// It does not run and should.
    Missing,
    /// It was not restored.
    Unknown,
    /// Its node has not said.
    Silent,
}

/// One instance, both ways.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// The instance.
    pub instance: InstanceId,
    /// Where it runs, else where it was restored.
    pub node: Option<NodeName>,
    /// How it compares.
    pub finding: Finding,
    /// As its node has it.
    pub running: Option<InventoryEntry>,
    /// Generation that was restored; 0: none was.
    pub restored: u64,
}

/// Every instance that was restored or that a node has, by id.
#[must_use]
pub fn compare(state: &State) -> Vec<Found> {
    let mut seen: BTreeMap<&InstanceId, BTreeMap<&NodeName, &InventoryEntry>> = BTreeMap::new();
    for inventory in state.inventories.values() {
        for (id, entry) in &inventory.entries {
            seen.entry(id).or_default().insert(&inventory.node, entry);
        }
    }
    let mut found = Vec::new();
    for instance in state.instances.values() {
        let mut on = seen.remove(&instance.id).unwrap_or_default();
        // Where it was restored, else the one place where it is.
        let own = instance.node.as_ref().filter(|node| on.contains_key(node)).cloned();
        let node = own.or_else(|| on.keys().next().map(|node| (*node).clone()));
        let running = node.as_ref().and_then(|node| on.remove(node)).cloned();
        let node = node.or_else(|| instance.node.clone());
        let finding = finding(state, instance, node.as_ref(), running.as_ref());
        let restored = instance.generation;
        found.push(Found { instance: instance.id.clone(), node, finding, running, restored });
        found.extend(unknown(&instance.id, on));
    }
    for (id, on) in seen {
        found.extend(unknown(id, on));
    }
    found.sort_by(|a, b| a.instance.cmp(&b.instance));
    found
}

fn unknown(id: &InstanceId, on: BTreeMap<&NodeName, &InventoryEntry>) -> Vec<Found> {
    let found = |(node, entry): (&NodeName, &InventoryEntry)| Found {
        instance: id.clone(),
        node: Some(node.clone()),
        finding: Finding::Unknown,
        running: Some(entry.clone()),
        restored: 0,
    };
    on.into_iter().map(found).collect()
}

fn finding(state: &State, instance: &Instance, node: Option<&NodeName>, running: Option<&InventoryEntry>) -> Finding {
    let wanted = instance.wanted && !instance.removing;
    let Some(running) = running else {
        let said = node.is_none_or(|node| state.inventories.get(node).is_some_and(|one| one.complete));
        return match (said, wanted) {
            (false, _) => Finding::Silent,
            (true, true) => Finding::Missing,
            (true, false) => Finding::Adopted,
        };
    };
    let at_rest = running.phase.is_at_rest();
    if !wanted {
        return if at_rest { Finding::Adopted } else { Finding::Runs };
    }
    if !is_same(state, instance, running) {
        return Finding::Differs;
    }
    if at_rest && !running.wanted { Finding::Missing } else { Finding::Adopted }
}

/// Whether the node has the spec that was restored: by its generation, which
/// names one spec for ever; else by its fingerprint.
pub(super) fn is_same(state: &State, instance: &Instance, running: &InventoryEntry) -> bool {
    let name = &instance.id.process;
    let Some(spec) = state.spec_of(instance) else { return true };
    let by_generation =
        || state.generation(name, running.generation).is_some_and(|one| !change::is_noticed(&spec, &one.spec));
    by_generation() || running.fingerprint.is_some() && spec.fingerprint() == running.fingerprint
}
