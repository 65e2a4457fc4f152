//! The wall clock, which commands carry. Intervals are measured elsewhere, by
//! a monotonic one.

use process_model::Timestamp;

/// Now.
pub(crate) fn now() -> Timestamp {
    std::time::SystemTime::now().into()
}
