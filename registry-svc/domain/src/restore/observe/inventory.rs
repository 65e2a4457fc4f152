//! What a node has, as it says itself.

use process_model::{InstanceId, NodeName, Phase};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A part of what a node has, as it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NodeInventory {
    /// The node.
    pub node: NodeName,
    /// It is the first part: what came before is void.
    pub begins: bool,
    /// It is the last part.
    pub complete: bool,
    /// Instances.
    pub entries: Vec<InventoryEntry>,
}

/// An instance that a node has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryEntry {
    /// The instance.
    pub instance: InstanceId,
    /// Generation of its spec.
    pub generation: u64,
    /// Fingerprint of its spec; `None`: it did not say.
    pub fingerprint: Option<[u8; 32]>,
    /// Its phase.
    pub phase: Phase,
    /// Process id; 0 when none runs.
    pub pid: u32,
    /// Restarts since it was last started on request.
    pub restarts: u32,
    /// Whether it should run, as far as the node knows.
    pub wanted: bool,
    /// Restarts that were asked for.
    pub restart_count: u64,
}

/// Everything that a node has, as far as it has said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The node.
    pub node: NodeName,
    /// Whether it has said all of it.
    pub complete: bool,
    /// By instance.
    pub entries: BTreeMap<InstanceId, InventoryEntry>,
}

impl Inventory {
    pub(super) fn of(node: &NodeName) -> Self {
        Self { node: node.clone(), complete: false, entries: BTreeMap::new() }
    }
}
