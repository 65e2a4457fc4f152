//! What a backup is of.

use process_model::Timestamp;
use registry_domain::Row;
use serde::{Deserialize, Serialize};

/// What whoever takes a backup knows, and the state does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// Version of the registry that took it.
    pub version: String,
    /// When.
    pub time: Timestamp,
    /// Epoch of the cluster, as nodes know it.
    pub epoch: u64,
    /// Term of the last entry that is in it.
    pub term: u64,
    /// Index of that entry.
    pub index: u64,
}

/// What a backup is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// What the state does not know.
    pub about: About,
    /// Id of the cluster.
    pub cluster_id: String,
    /// Revision that it was taken at.
    pub revision: u64,
    /// Level that its rows need to be understood.
    pub level: u16,
    /// Digest of all rows.
    pub digest: [u8; 32],
    /// Bytes of all rows.
    pub bytes: u64,
    /// How many rows of which kind.
    pub counts: Counts,
}

/// Rows, by kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Of every kind.
    pub rows: u64,
    /// Processes.
    pub processes: u64,
    /// Instances.
    pub instances: u64,
    /// Nodes.
    pub nodes: u64,
    /// Actions.
    pub actions: u64,
    /// Events.
    pub events: u64,
    /// Audit entries.
    pub audit: u64,
    /// Generations of processes.
    pub generations: u64,
}

impl Counts {
    pub(super) fn count(&mut self, row: &Row) {
        self.rows += 1;
        match row {
            Row::Process(_) => self.processes += 1,
            Row::Instance(_) => self.instances += 1,
            Row::Node(_) => self.nodes += 1,
            Row::Action(_) => self.actions += 1,
            Row::Event(_) => self.events += 1,
            Row::Audit(_) => self.audit += 1,
            Row::Generation(_) => self.generations += 1,
            Row::Meta(_) | Row::Reply(_) | Row::Lineage(_) | Row::Piece(_) | Row::Inventory(_) | Row::Member(_) => {}
            Row::Invitation(_) | Row::Runs(_) => {}
        }
    }
}

impl Manifest {
    /// The digest, in hex.
    #[must_use]
    pub fn digest_hex(&self) -> String {
        hex(&self.digest)
    }
}

/// Bytes as text.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}
