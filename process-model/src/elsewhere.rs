//! What the registry tells a node of other nodes: how the instances there stand
//! to what its own instances depend on.

use crate::{InstanceId, NodeName, Phase};
use serde::{Deserialize, Serialize};

/// How the instances of a process that are not on a node stand to a condition.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Elsewhere {
    /// Whether there is any that counts.
    pub exists: bool,
    /// The first that is not as it has to be.
    pub unmet: Option<Unmet>,
}

/// An instance elsewhere that is not as it has to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unmet {
    /// Which.
    pub instance: InstanceId,
    /// Its node; `None`: it has none yet.
    pub node: Option<NodeName>,
    /// Its phase.
    pub phase: Phase,
    /// Whether it comes again by itself.
    pub comes_again: bool,
}

impl Elsewhere {
    /// Whether all that is missing is a word of its node: what was known before
    /// may hold still.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        self.unmet.as_ref().is_some_and(|unmet| unmet.phase == Phase::Lost)
    }
}
