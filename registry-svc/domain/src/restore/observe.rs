//! Looking on after a restore: nodes say what they have, that is compared with
//! what was restored, and somebody confirms. What a node runs counts for more
//! than what a backup says of it: instances stay where they run, generations
//! and restart counts never go back behind what was seen.

mod compare;
mod confirm;
mod inventory;

pub use compare::{Finding, Found, compare};
pub(crate) use confirm::confirm;
pub use confirm::{ConfirmRestore, Unknown};
pub use inventory::{Inventory, InventoryEntry, NodeInventory};

use crate::Mode;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Instance, Refusal, State};
use process_model::{InstanceId, ProcessName};
use std::sync::Arc;

pub(crate) fn inventory(draft: &mut Draft<'_>, said: &NodeInventory) -> Result<Decided, Refusal> {
    if !draft.state().nodes().contains_key(&said.node) {
        return Err(Refusal::UnknownNode(said.node.to_string()));
    }
    // It comes late, or of its own accord.
    if draft.state().meta().mode.acts() {
        return Ok(Decided::noted(draft));
    }
    let before = draft.state().inventories.get(&said.node).filter(|_| !said.begins).cloned();
    let mut inventory = before.map_or_else(|| Inventory::of(&said.node), |one| Inventory::clone(&one));
    for entry in &said.entries {
        inventory.entries.insert(entry.instance.clone(), entry.clone());
    }
    inventory.complete = said.complete;
    let key = RowKey::Inventory(said.node.clone());
    draft.touch(key).inventories.insert(said.node.clone(), Arc::new(inventory));
    Ok(Decided::noted(draft))
}

impl State {
    /// What the nodes have, as they said when the registry began to look on.
    pub fn inventories(&self) -> impl Iterator<Item = &Inventory> {
        self.inventories.values().map(|inventory| &**inventory)
    }

    /// The highest generation of this name that a node has and nobody knows.
    pub(crate) fn seen_generation(&self, name: &ProcessName) -> u64 {
        let entries = self.inventories.values().flat_map(|inventory| inventory.entries.values());
        entries.filter(|entry| entry.instance.process == *name).map(|entry| entry.generation).max().unwrap_or(0)
    }

    /// A new instance begins where one of its name was left running.
    pub(crate) fn taking_over(&self, instance: Instance) -> Instance {
        match self.left_running(&instance.id) {
            Some((inventory, entry)) => Instance {
                node: Some(inventory.node.clone()),
                restart_count: instance.restart_count.max(entry.restart_count),
                // What the node has is of a generation that nobody here knows.
                born: 0,
                ..instance
            },
            None => instance,
        }
    }

    fn left_running(&self, id: &InstanceId) -> Option<(&Inventory, &InventoryEntry)> {
        if self.meta.mode != Mode::KeepUnknown {
            return None;
        }
        self.inventories.values().find_map(|inventory| Some((&**inventory, inventory.entries.get(id)?)))
    }
}
