//! The wall clock, which commands carry. Intervals are measured elsewhere, by
//! a monotonic one.

use process_model::Timestamp;
use std::fmt;
use std::sync::Arc;

/// Where a replica reads the time of day. Clones read the same.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Timestamp + Send + Sync>);

impl Clock {
    /// The system's.
    #[must_use]
    pub fn system() -> Self {
        Self::of(|| std::time::SystemTime::now().into())
    }

    /// Another one, for a replica whose clock goes wrong.
    pub fn of(read: impl Fn() -> Timestamp + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Now.
    pub(crate) fn now(&self) -> Timestamp {
        (self.0)()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now()).finish()
    }
}
