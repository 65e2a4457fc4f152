//! A request that waits for its answer.

use crate::{Fault, Lsn};
use std::time::Instant;

/// Called once, on a thread of the log, in the order of the requests.
pub(crate) type Done = Box<dyn FnOnce(Result<Lsn, Fault>) + Send>;

/// Answered when everything up to `lsn` is durable.
pub(super) struct Ticket {
    pub(super) lsn: Lsn,
    pub(super) since: Instant,
    pub(super) done: Done,
}
