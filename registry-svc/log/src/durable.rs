//! How far the disk has come.

use crate::{Lsn, Position};
use std::time::Duration;

/// What has reached the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Durable {
    /// Everything up to this record.
    pub lsn: Lsn,
    /// The last entry (or purged position) as of that record.
    pub last: Option<Position>,
    /// How long the oldest request without an answer waits; `None` when none
    /// waits. A stalled disk shows here first.
    pub oldest_waiting: Option<Duration>,
}
