//! Waiting for what no event tells of: a file that a program makes, a sample
//! that arrives. Where there is an event, [`crate::EventWatch`] is the way.

use std::time::{Duration, Instant};

/// Between two looks: short beside what is waited for, long beside a look.
const LOOK: Duration = Duration::from_millis(50);

/// Looks until `holds`.
///
/// # Panics
/// When it does not hold within the deadline.
#[track_caller]
pub fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < crate::DEADLINE, "{what}: not within {:?}", crate::DEADLINE);
        std::thread::park_timeout(LOOK);
    }
}
