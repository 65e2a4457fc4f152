//! A record that waits to be written.

use crate::content::Place;
use crate::format::Change;
use crate::{Lsn, Position};
use bytes::Bytes;

/// Everything about it is decided; only its group is not yet known.
#[derive(Debug)]
pub(super) struct Queued {
    pub(super) lsn: Lsn,
    pub(super) place: Place,
    pub(super) change: Change,
    /// An entry's.
    pub(super) payload: Bytes,
    /// The log's last position after it.
    pub(super) last: Option<Position>,
    /// Once it is durable, segments before this one are needed no more; 0: says nothing.
    pub(super) frees_before: u64,
}
