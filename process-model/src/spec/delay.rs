//! The series of delays between restarts (S1.5), as it is carried out and as it
//! is explained.

use super::{Backoff, RestartPolicy};
use std::time::Duration;

impl RestartPolicy {
    /// The delay before the restart that follows `streak` restarts in a row,
    /// without its random part: what `pmctl explain restart` shows.
    #[must_use]
    pub fn nominal_delay(&self, streak: u32) -> Duration {
        self.backoff.nominal(streak)
    }
}

impl Backoff {
    /// The delay before the restart that follows `streak` restarts in a row,
    /// without its random part: grows from `initial` by `factor` up to `max`.
    #[must_use]
    pub fn nominal(&self, streak: u32) -> Duration {
        self.delay(streak, 0.5)
    }

    /// The delay before the restart that follows `streak` restarts in a row.
    /// `roll` is a random number from 0 to 1: jitter moves the delay by at most
    /// ± its share, never beyond `max`, so that many instances that failed
    /// together do not come back together.
    #[must_use]
    pub fn delay(&self, streak: u32, roll: f64) -> Duration {
        if self.initial.is_zero() {
            // 0 × infinity is not a number; no delay stays no delay.
            return Duration::ZERO;
        }
        // f64 holds any duration in range; powers beyond it saturate to infinity, which `min` cuts to `max`.
        let exponent = i32::try_from(streak).unwrap_or(i32::MAX);
        let grown = self.initial.as_secs_f64() * self.factor.powi(exponent);
        let capped = grown.min(self.max.as_secs_f64());
        let moved = capped * (1.0 + self.jitter * (2.0 * roll.clamp(0.0, 1.0) - 1.0));
        Duration::try_from_secs_f64(moved).unwrap_or(self.max).min(self.max)
    }

    /// The shortest and the longest that the delay after `streak` restarts in a
    /// row can be.
    #[must_use]
    pub fn bounds(&self, streak: u32) -> (Duration, Duration) {
        (self.delay(streak, 0.0), self.delay(streak, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(policy: &Backoff, n: u32) -> Vec<u64> {
        (0..n).map(|streak| policy.nominal(streak).as_secs()).collect()
    }

    #[test]
    fn delays_double_from_one_second_to_a_minute() {
        assert_eq!(series(&Backoff::default(), 9), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_thousand_restarts_do_not_overflow() {
        assert_eq!(Backoff::default().nominal(u32::MAX), Duration::from_secs(60));
        let none = Backoff { initial: Duration::ZERO, ..Backoff::default() };
        assert_eq!(none.delay(u32::MAX, 1.0), Duration::ZERO);
    }

    #[test]
    fn jitter_stays_within_its_share_and_below_the_longest_delay() {
        let policy =
            RestartPolicy { backoff: Backoff { jitter: 0.1, ..Backoff::default() }, ..RestartPolicy::default() };
        assert_eq!(policy.backoff.bounds(0), (Duration::from_millis(900), Duration::from_millis(1100)));
        assert_eq!(policy.nominal_delay(0), Duration::from_secs(1));
        assert_eq!(policy.backoff.bounds(20).1, policy.backoff.max);
    }
}
