//! The series of delays between restarts (S1.5).

use process_model::spec::Backoff;
use std::time::Duration;

/// The delay before the restart that follows `streak` restarts in a row.
/// `roll` is a random number from 0 to 1.
///
/// Grows geometrically from `initial` by `factor` up to `max`; jitter then
/// moves it by at most ± its share, never beyond `max`, so that many instances that failed
/// together do not come back together.
#[must_use]
pub fn delay(policy: &Backoff, streak: u32, roll: f64) -> Duration {
    if policy.initial.is_zero() {
        // 0 × infinity is not a number; no delay stays no delay.
        return Duration::ZERO;
    }
    // f64 holds any duration in range; powers beyond it saturate to infinity, which `min` cuts to `max`.
    let exponent = i32::try_from(streak).unwrap_or(i32::MAX);
    let grown = policy.initial.as_secs_f64() * policy.factor.powi(exponent);
    let capped = grown.min(policy.max.as_secs_f64());
    let moved = capped * (1.0 + policy.jitter * (2.0 * roll.clamp(0.0, 1.0) - 1.0));
    Duration::try_from_secs_f64(moved).unwrap_or(policy.max).min(policy.max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(policy: &Backoff, n: u32) -> Vec<u64> {
        (0..n).map(|streak| delay(policy, streak, 0.5).as_secs()).collect()
    }

    #[test]
    fn delays_double_from_one_second_to_a_minute() {
        assert_eq!(series(&Backoff::default(), 9), [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    }

    #[test]
    fn a_thousand_restarts_do_not_overflow() {
        assert_eq!(delay(&Backoff::default(), u32::MAX, 0.5), Duration::from_secs(60));
        let none = Backoff { initial: Duration::ZERO, ..Backoff::default() };
        assert_eq!(delay(&none, u32::MAX, 1.0), Duration::ZERO);
    }

    #[test]
    fn jitter_stays_within_its_share() {
        let policy = Backoff { jitter: 0.1, ..Backoff::default() };
        assert_eq!(delay(&policy, 0, 0.0), Duration::from_millis(900));
        assert_eq!(delay(&policy, 0, 1.0), Duration::from_millis(1100));
        assert_eq!(delay(&policy, 20, 1.0), policy.max);
    }
}
