//! How long something may take. The bound is the promise on a machine that
//! does nothing else, with optimised programs; tests run with neither, so what
//! fails a test is a multiple of it.

use std::fmt;
use std::time::Duration;

/// What `PM_TEST_SLACK` is when nobody says it. On a quiet machine with
/// release builds it is set to 1.
const SLACK: u32 = 4;
/// So much longer one of several may take then: on a machine with other work, now and then somebody waits for a processor.
const PAUSE: Duration = Duration::from_secs(3);

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
        self.0 * said().unwrap_or(SLACK)
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

    /// Demands it of what happened several times: that it held mostly, and that nothing took longer by more than a pause of
    /// the machine. When `PM_TEST_SLACK` is said, it has to hold each time.
    ///
    /// # Panics
    /// When it did not.
    #[track_caller]
    pub fn holds_mostly(self, what: &str, took: impl IntoIterator<Item = Duration>) {
        let mut took: Vec<Duration> = took.into_iter().collect();
        took.sort_unstable();
        println!("{what}: {took:.0?} (promised: {self})");
        let pause = if said().is_some() { Duration::ZERO } else { PAUSE };
        let (middle, longest) = (took.get(took.len().saturating_sub(1) / 2), took.last());
        assert!(middle.is_none_or(|took| *took <= self.with_slack()), "{what}: {took:?}, far over the promised {self}");
        let is_long = longest.is_some_and(|took| *took > self.with_slack() + pause);
        assert!(!is_long, "{what}: {took:?}, one far over the promised {self}");
    }
}

/// What `PM_TEST_SLACK` says.
fn said() -> Option<u32> {
    let said = std::env::var("PM_TEST_SLACK").ok();
    said.map(|text| text.parse().unwrap_or_else(|_| panic!("PM_TEST_SLACK is {text:?}, no number")))
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.0)
    }
}
