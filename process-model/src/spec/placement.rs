//! Where instances go.

use super::Constraint;
use crate::ProcessName;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where the instances of a process go, and when they go elsewhere. The
/// default: to any node, spread, and they stay there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Placement {
    /// What a node has to be; all of them.
    pub constraints: Vec<Constraint>,
    /// Which of the nodes that can be.
    pub strategy: PlacementStrategy,
    /// The label over whose values they are spread; `None`: over nodes.
    pub spread_by: Option<String>,
    /// Instances of it on one node; `None`: any number.
    pub max_per_node: Option<u32>,
    /// Processes of which none is on the same node.
    pub apart_from: Vec<ProcessName>,
    /// One instance on each node that can be, however many these are.
    pub daemon: bool,
    /// What one instance takes of a node's capacity.
    pub reserve: Reservation,
    /// When its node is lost for so long, it is started elsewhere; `None`: it
    /// waits for its node.
    pub replace_after: Option<Duration>,
}

impl Placement {
    /// Whether it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What one instance takes of a node's capacity, whether it uses it or not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Reservation {
    /// Thousandths of a CPU.
    pub cpu_millis: u32,
    /// Bytes of memory.
    pub memory: u64,
}

/// Which of the nodes that can be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PlacementStrategy {
    /// The one with the least to do.
    #[default]
    Spread,
    /// The one that is fullest and still has room.
    BinPack,
}

impl PlacementStrategy {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Spread, Self::BinPack];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Spread => "spread",
            Self::BinPack => "bin-pack",
        }
    }
}
