//! How long records are kept: one policy for the whole cluster, in the
//! replicated state, as replicas that forgot at different times would differ.

use process_model::Timestamp;
use serde::{Deserialize, Serialize};
use std::ops::RangeInclusive;
use std::time::Duration;

/// Audit entries that may be kept: below, a busy minute could push a change
/// out of sight; above, the state no longer fits into memory.
pub const AUDIT_ENTRIES: RangeInclusive<u64> = 100..=1_000_000;
/// Generations of one process that may be kept; without a second one there
/// is nothing to go back to.
pub const GENERATIONS: RangeInclusive<u64> = 2..=10_000;
/// Past generations of all processes together; the oldest go first. About
/// 40 MB in memory at 2 KB a spec.
pub const PAST_GENERATIONS: usize = 20_000;

/// How long records are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Retention {
    /// Audit entries.
    pub audit_entries: u64,
    /// Longest age of an audit entry; `None`: only their number counts.
    pub audit_age: Option<Duration>,
    /// Generations of each process.
    pub generations: u64,
}

impl Default for Retention {
    fn default() -> Self {
        Self { audit_entries: 10_000, audit_age: None, generations: 1_000 }
    }
}

impl Retention {
    /// The nearest policy that is allowed.
    #[must_use]
    pub fn within_bounds(self) -> Self {
        Self {
            audit_entries: self.audit_entries.clamp(*AUDIT_ENTRIES.start(), *AUDIT_ENTRIES.end()),
            generations: self.generations.clamp(*GENERATIONS.start(), *GENERATIONS.end()),
            ..self
        }
    }

    /// Whether an audit entry of this time is too old.
    #[must_use]
    pub fn is_over(&self, time: Timestamp, now: Timestamp) -> bool {
        self.audit_age.is_some_and(|age| time.plus(age) < now)
    }
}
