//! The moments at which everything in this process that waits for a lost service
//! tries again: a wake-up of a resting node costs more than what it is for.

use crate::clock;
use std::sync::OnceLock;
use std::time::Duration;

/// One moment in each `period` of the time since boot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rounds {
    period: Duration,
    /// Of the first one; below the period.
    phase: Duration,
}

impl Rounds {
    /// The same for all of this process. By chance, so that the nodes of a fleet
    /// do not come together.
    pub(crate) fn of_this_process(period: Duration) -> Self {
        static PHASE: OnceLock<f64> = OnceLock::new();
        Self::new(period, *PHASE.get_or_init(clock::roll))
    }

    /// `phase`: from 0 to 1.
    pub(super) fn new(period: Duration, phase: f64) -> Self {
        Self { period, phase: period.mul_f64(phase) }
    }

    /// The first one after `now`.
    pub(crate) fn after(self, now: Duration) -> Duration {
        let (period, into) = (self.period.as_nanos(), (now + self.period - self.phase).as_nanos());
        let left = period - into % period;
        now + Duration::from_nanos(u64::try_from(left).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PERIOD: Duration = Duration::from_secs(4);

    #[test]
    fn whoever_waits_at_different_times_comes_at_the_same_moment() {
        let rounds = Rounds::new(PERIOD, 0.25);
        let second = Duration::from_secs(1);
        assert_eq!(rounds.after(Duration::ZERO), second);
        assert_eq!(rounds.after(second - Duration::from_nanos(1)), second);
        assert_eq!(rounds.after(second), second * 5, "that one is now");
        for late in 0..4 {
            assert_eq!(rounds.after(second * (1001 + late)), second * 1005);
        }
    }

    #[test]
    fn the_ends_of_chance_are_moments_too() {
        assert_eq!(Rounds::new(PERIOD, 0.0).after(Duration::ZERO), PERIOD);
        assert_eq!(Rounds::new(PERIOD, 1.0).after(Duration::ZERO), PERIOD);
    }

    #[test]
    fn a_process_has_one_phase() {
        let now = Duration::from_secs(77);
        assert_eq!(Rounds::of_this_process(PERIOD).after(now), Rounds::of_this_process(PERIOD).after(now));
    }
}
