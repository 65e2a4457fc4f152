//! News that nobody asked for.

use crate::{Fault, Space};
use std::fmt;
use std::sync::Arc;

/// What happened.
#[derive(Debug, Clone)]
pub enum Notice {
    /// The room on the disk changed.
    Space(Space),
    /// A request waits, and a moment before none did. Whoever watches for a
    /// stalled disk has to look at [`Durable::oldest_waiting`](crate::Durable)
    /// from now on, and until then need not.
    Busy,
    /// The log failed: nothing more will be written. End the process.
    Failed(Fault),
}

/// Whom to tell. Called on the log's own threads and on those that submit, so
/// it has to be quick and must not wait for the log.
#[derive(Clone)]
pub struct Notify(Arc<dyn Fn(Notice) + Send + Sync>);

impl Notify {
    /// Tells this function.
    pub fn new(tell: impl Fn(Notice) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    pub(crate) fn tell(&self, notice: Notice) {
        (self.0)(notice);
    }
}

impl fmt::Debug for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notify")
    }
}
