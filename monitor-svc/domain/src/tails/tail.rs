//! One tail: a log of one instance on its way to one reader.

use super::{Outputs, ReadId};
use process_model::{InstanceId, Timestamp};
use std::sync::Arc;

/// What of a log is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    /// Which outputs.
    pub outputs: Outputs,
    /// Only the last this many lines of each; `None`: from the beginning.
    pub last_lines: Option<u32>,
    /// Whether to go on with what is written from now on.
    pub follow: bool,
    /// What is rarely asked for; shared by all tails of a read.
    pub picked: Option<Arc<Picked>>,
}

/// What of a log is wanted beside. The runner that has the files decides what
/// it means; here it is only passed on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Picked {
    /// Written then or later.
    pub since: Option<Timestamp>,
    /// Written then or earlier.
    pub until: Option<Timestamp>,
    /// Lines with this pattern; empty: all.
    pub grep: String,
    /// Of the run before the last one.
    pub previous: bool,
    /// Places to go on from.
    pub cursors: Vec<String>,
    /// Chunks carry times.
    pub timestamps: bool,
}

/// How far a tail is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The request waits for its session to take it.
    Queued,
    /// The runner sends. Bytes that it may still send, and bytes that the
    /// client took and the runner does not know of; the rest of the window is
    /// buffered for the client.
    Asked { credit: u64, owed: u64 },
    /// The reader is gone; the cancel waits for its session to take it.
    Cancelling,
}

#[derive(Debug)]
pub(super) struct Tail {
    pub(super) read: ReadId,
    pub(super) instance: InstanceId,
    pub(super) wish: Wish,
    pub(super) window: u64,
    /// Outputs that have not ended.
    pub(super) open: Outputs,
    pub(super) stage: Stage,
    /// Whether the runner has been told everything; false while it is pending.
    pub(super) told: bool,
}

impl Tail {
    pub(super) fn new(read: ReadId, instance: InstanceId, wish: Wish, window: u64) -> Self {
        Self { read, instance, window, open: wish.outputs, wish, stage: Stage::Queued, told: true }
    }
}
