//! When the thread behind the state writes, and how long it rests: see `store`
//! for why it does.

use std::time::Duration;

/// How far the store may be behind.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How long a changed row waits for others, unless the thread rests; so much more has to be replayed
    /// after a crash.
    pub every: Duration,
    /// So many changed rows do not wait.
    pub rows: usize,
    /// So many rows are written so that a crash leaves all of them or none;
    /// see [`StateStore`](crate::io::state_store::StateStore) for why not all.
    pub at_once: usize,
    /// The same while the store has few rows: it is soon rebuilt, and is to need
    /// little memory.
    pub at_once_of_few: usize,
    /// How long the thread rests, in times of what it took to write.
    pub rest: u32,
    /// The longest rest: what comes in meanwhile is replayed after a crash.
    pub longest_rest: Duration,
    /// How long it rests at first. A replica that was just opened replays its
    /// log, and the others of its cluster may do the same on this machine.
    pub first_rest: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            every: Duration::from_secs(2),
            rows: 64 << 10,
            at_once: 4_096,
            at_once_of_few: 256,
            rest: 49,
            longest_rest: Duration::from_secs(60),
            first_rest: Duration::from_secs(10),
        }
    }
}

impl Pace {
    /// How long to rest after a write that took so long.
    pub(super) fn rest_after(&self, took: Duration) -> Duration {
        took.saturating_mul(self.rest).min(self.longest_rest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rest_is_as_long_as_the_share_of_a_processor_asks_for_but_no_longer_than_a_minute() {
        let pace = Pace::default();
        let rest = |millis| pace.rest_after(Duration::from_millis(millis));
        assert_eq!(rest(0), Duration::ZERO);
        assert_eq!(rest(100), Duration::from_millis(4_900), "a fiftieth of a processor");
        assert_eq!(rest(2_000), Duration::from_secs(60), "what comes in meanwhile is replayed after a crash");
        assert_eq!(pace.rest_after(Duration::MAX), Duration::from_secs(60));
    }
}
