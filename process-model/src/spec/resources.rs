//! What an instance may use, by cgroup.

use serde::{Deserialize, Serialize};

/// Limits of one instance's whole tree. Where the node cannot enforce one
/// (no writable cgroup controller), it says so in an event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ResourceLimits {
    /// Bytes of memory; above, the kernel kills.
    pub memory: Option<u64>,
    /// Thousandths of a CPU: 500 is half of one.
    pub cpu_millis: Option<u32>,
    /// Processes and threads.
    pub pids: Option<u32>,
    /// Whether they are enforced.
    pub mode: LimitMode,
}

impl ResourceLimits {
    /// Whether nothing is limited.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.memory.is_none() && self.cpu_millis.is_none() && self.pids.is_none()
    }
}

/// Whether limits are enforced.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LimitMode {
    /// The kernel enforces them.
    #[default]
    Enforce,
    /// Nothing is enforced; an event tells when one would have been.
    Observe,
}

impl LimitMode {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Enforce, Self::Observe];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
        }
    }
}
