//! What the relays want done.

use super::{Output, ReadId, Wish};
use crate::SessionId;
use process_model::InstanceId;

/// Something to do for a reader or a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The session has something to tell its runner: ask
    /// [`Tails::next_for`](super::Tails::next_for) until it has nothing.
    Wake {
        /// The session.
        session: SessionId,
    },
    /// Hand the chunk that just arrived to this read.
    Deliver {
        /// The read.
        read: ReadId,
    },
    /// Tell a read that an output of an instance ended.
    End {
        /// The read.
        read: ReadId,
        /// The instance.
        instance: InstanceId,
        /// The output.
        output: Output,
        /// Why before its end; empty when it was read to its end.
        error: String,
    },
    /// Nothing more comes for this read.
    Finish {
        /// The read.
        read: ReadId,
    },
}

/// Something to tell a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToRunner {
    /// Read logs.
    Request {
        /// Names the request in its session.
        request: u64,
        /// Whose.
        instance: InstanceId,
        /// What of it.
        wish: Wish,
        /// Bytes that may be sent.
        credit: u64,
    },
    /// More bytes may be sent.
    Credit {
        /// The request.
        request: u64,
        /// How many more.
        bytes: u64,
    },
    /// Stop reading.
    Cancel {
        /// The request.
        request: u64,
    },
}

/// As many reads as the monitor has memory for are open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{} log readers are connected already", super::MAX_READS)]
pub struct TooManyReads;
