//! How long something may take. The bound is the promise on a machine that
//! does nothing else, with optimised programs; tests run with neither, so what
//! fails a test is a multiple of it.

use std::fmt;
use std::time::Duration;

/// What `PM_TEST_SLACK` is when nobody says it. On a quiet machine with
/// release builds it is set to 1.
const SLACK: u32 = 4;

/// A bound of a fault's consequence.
#[derive(Clone, Copy, Debug)]
pub struct Bound(Duration);

impl Bound {
    /// So many milliseconds.
    #[must_use]
    pub const fn of_millis(millis: u64) -> Self {
        Self(Duration::from_millis(millis))
    }

    /// The longest that passes.
    ///
    /// # Panics
    /// When `PM_TEST_SLACK` is no number.
    #[must_use]
    pub fn with_slack(self) -> Duration {
        let said = std::env::var("PM_TEST_SLACK").ok();
        let slack = said.map(|text| text.parse().unwrap_or_else(|_| panic!("PM_TEST_SLACK is {text:?}, no number")));
        self.0 * slack.unwrap_or(SLACK)
    }

    /// Demands that something took no longer, and says how long it was.
    ///
    /// # Panics
    /// When it did.
    #[track_caller]
    pub fn holds(self, what: &str, took: Duration) {
        println!("{what}: {took:.0?} (promised: {self})");
        assert!(took <= self.with_slack(), "{what}: {took:?}, far over the promised {self}");
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
