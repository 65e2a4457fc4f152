//! What may be set.

use std::time::Duration;

/// What may be set.
#[derive(Debug, Clone)]
pub struct Settings {
    /// So long without a sign of the leader, and nothing else against it, before the others replace it.
    pub election_timeout: Duration,
    /// For the delays that are left to chance; different on each replica.
    pub seed: u64,
    /// A snapshot is taken after so many bytes of log, or after as many as the last snapshot has.
    pub snapshot_after: u64,
    /// So many bytes of log stay although a snapshot has them, for followers that were away for a moment.
    pub keep: u64,
}

impl Settings {
    /// An election timeout of a second; a snapshot after 32 MiB, and 8 MiB kept.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { election_timeout: Duration::from_secs(1), seed, snapshot_after: 32 << 20, keep: 8 << 20 }
    }
}
