//! Whether this process was asleep: the whole node suspended, everybody on it
//! stopped, or the machine too busy to let us run. What seemed to be silence
//! then was not, and programs need a moment to come back, as we do.

use rustix::time::{ClockId, clock_gettime};
use std::time::Duration;
use tokio::time::Instant;

/// Being later than this is no jitter of a busy machine's scheduler.
pub(crate) const LATE: Duration = Duration::from_secs(1);

/// Tells a wait that took as long as it was to take from one that we slept
/// through.
#[derive(Debug)]
pub(crate) struct Slumber {
    /// Time that the node has been suspended for since it was booted.
    suspended: Duration,
}

impl Slumber {
    pub(crate) fn new() -> Self {
        Self { suspended: suspended() }
    }

    /// Waits until `due`; true when we were asleep meanwhile.
    pub(crate) async fn until(&mut self, due: Instant) -> bool {
        tokio::time::sleep_until(due).await;
        self.was_asleep(due)
    }

    /// Whether we were asleep since this was last asked, something having been
    /// `due` to happen now at the latest.
    pub(crate) fn was_asleep(&mut self, due: Instant) -> bool {
        let suspended = suspended();
        let more = suspended.saturating_sub(std::mem::replace(&mut self.suspended, suspended));
        Instant::now().saturating_duration_since(due) > LATE || more > LATE
    }
}

/// Of the two clocks that nobody can set, one counts suspension and one does
/// not (clock_gettime(2)).
fn suspended() -> Duration {
    let at = |clock| {
        let time = clock_gettime(clock);
        let nanos = u32::try_from(time.tv_nsec).unwrap_or(0);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), nanos)
    };
    // In this order a pause between the two never looks like a suspension that is over.
    let monotonic = at(ClockId::Monotonic);
    at(ClockId::Boottime).saturating_sub(monotonic)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_wakes_in_time_was_not_asleep() {
        let mut slumber = Slumber::new();
        let at = Instant::now() + Duration::from_millis(10);
        let was_asleep = slumber.until(at).await;
        // A loaded machine may truly have let it wait for so long.
        assert!(!was_asleep || at.elapsed() >= LATE);
        assert!(!slumber.was_asleep(Instant::now() + Duration::from_secs(3600)), "not due yet");
    }

    #[test]
    fn who_wakes_far_too_late_was_asleep() {
        let late = Instant::now().checked_sub(LATE * 2).unwrap();
        assert!(Slumber::new().was_asleep(late));
    }

    #[test]
    fn time_that_only_one_clock_counts_was_a_suspension() {
        let mut slumber = Slumber { suspended: suspended().saturating_sub(LATE * 2) };
        let asleep = slumber.was_asleep(Instant::now());
        // A machine that was just booted has not been there for long enough to pretend.
        assert_eq!(asleep, suspended() >= LATE * 2, "seen as awake");
        assert!(!slumber.was_asleep(Instant::now()), "counted twice");
    }
}
