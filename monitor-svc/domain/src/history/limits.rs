//! How much may be remembered.

use std::time::Duration;

/// Bounds of a [`History`](super::History).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long a sample is kept.
    pub retention: Duration,
    /// Bytes for everything together.
    pub max_bytes: usize,
    /// Samples in one answer.
    pub max_answer: usize,
}

impl Limits {
    /// The limits for a retention.
    ///
    /// 128 MiB hold an hour of some 4,000 instances at one sample a second (8
    /// to 10 bytes each). 16,000 samples take about 2 MB as messages, well
    /// below the 4 MiB that one message may have.
    #[must_use]
    pub fn keeping(retention: Duration) -> Self {
        Self { retention, max_bytes: 128 << 20, max_answer: 16_000 }
    }
}
