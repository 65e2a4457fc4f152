//! How many runners are received in a second. After a failover all of them
//! come at once, and each costs a read of the log's end, a look at everything
//! that belongs on it, and that in bytes; who is one too many is told when to
//! come again, each another moment.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Received at once, out of quiet: a node that restarts never waits.
const BURST: u32 = 100;
/// Nobody is sent away for longer: whoever would be comes and asks again.
const LONGEST: Duration = Duration::from_secs(30);

/// Who comes in, and when the others are to come again.
#[derive(Debug)]
pub(crate) struct Admission {
    /// Between two, in the long run.
    gap: Duration,
    state: Mutex<Option<State>>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    /// When everybody who came in would have, one by one.
    paid: Instant,
    /// The moment that was promised last.
    promised: Instant,
}

impl Admission {
    pub(crate) fn new(per_second: u32) -> Self {
        Self { gap: Duration::from_secs(1) / per_second.max(1), state: Mutex::new(None) }
    }

    /// Comes in now, or is to come again after so long.
    pub(crate) fn admit(&self, now: Instant) -> Result<(), Duration> {
        let mut state = self.lock();
        let State { paid, promised } = state.unwrap_or(State { paid: now, promised: now });
        let paid = paid.max(now);
        if paid.duration_since(now) < self.gap * BURST {
            *state = Some(State { paid: paid + self.gap, promised });
            return Ok(());
        }
        let promised = (promised.max(now) + self.gap).min(now + LONGEST);
        *state = Some(State { paid, promised });
        Err(promised.duration_since(now))
    }

    /// So long until this many have come in.
    pub(crate) fn time_for(&self, runners: usize) -> Duration {
        self.gap.saturating_mul(u32::try_from(runners).unwrap_or(u32::MAX))
    }

    fn lock(&self) -> MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cmp::Reverse;
    use std::collections::BinaryHeap;

    /// Everybody comes at once, and again when told to. When the last is in, and how many came in the busiest second.
    fn crowd(runners: u32, per_second: u32) -> (Duration, usize) {
        let admission = Admission::new(per_second);
        let start = Instant::now();
        let mut coming: BinaryHeap<Reverse<Instant>> = (0..runners).map(|_| Reverse(start)).collect();
        let mut came = Vec::new();
        while let Some(Reverse(now)) = coming.pop() {
            match admission.admit(now) {
                Ok(()) => came.push(now),
                Err(wait) => {
                    assert!(!wait.is_zero() && wait <= LONGEST, "told to come again after {wait:?}");
                    coming.push(Reverse(now + wait));
                }
            }
        }
        let second = Duration::from_secs(1);
        let in_second = |from: Instant| came.iter().filter(|at| **at >= from && **at < from + second).count();
        let busiest = came.iter().step_by(50).map(|from| in_second(*from)).max().unwrap();
        (came.last().unwrap().duration_since(start), busiest)
    }

    #[test]
    fn five_thousand_come_in_within_a_minute_and_never_more_in_a_second_than_there_is_room_for() {
        let (took, busiest) = crowd(5_000, 500);
        assert!(took <= Duration::from_secs(12), "took {took:?}");
        assert!(busiest <= 500 + BURST as usize + 1, "{busiest} in a second");
    }

    #[test]
    fn a_crowd_that_would_wait_for_minutes_is_in_at_last() {
        let (took, busiest) = crowd(3_000, 50);
        assert!(took <= Duration::from_secs(75), "took {took:?}");
        assert!(busiest <= 50 + BURST as usize + 1, "{busiest} in a second");
    }

    #[test]
    fn few_never_wait() {
        let admission = Admission::new(500);
        let now = Instant::now();
        assert!((0..BURST).all(|_| admission.admit(now).is_ok()));
        assert!(admission.admit(now).is_err());
        assert!(admission.admit(now + Duration::from_secs(1)).is_ok());
    }
}
