//! When to dial again: at once after a link that stood, ever more slowly
//! after dials that failed.

use super::Timing;
use std::time::Duration;

/// A link that stood for less was none: whoever accepts and cuts at once is
/// not dialled without end.
const STOOD: Duration = Duration::from_secs(1);

/// Dials that were cut off in the middle and are repeated almost at once: a
/// process that is being killed may still accept, and a moment later nobody
/// listens, which is the answer that is wanted.
const CUT_OFF: u32 = 3;

/// Between two dials, whoever asks for them: one that is refused takes a
/// tenth of a millisecond, and must not be repeated ten thousand times a second.
pub(super) const BETWEEN: Duration = Duration::from_millis(5);

/// Waits between dials.
#[derive(Debug)]
pub(super) struct Backoff {
    shortest: Duration,
    longest: Duration,
    failed: u32,
    cut_off: u32,
}

impl Backoff {
    pub(super) fn new(timing: &Timing) -> Self {
        Self { shortest: timing.shortest, longest: timing.longest, failed: 0, cut_off: 0 }
    }

    /// A link ended after this time; how long to wait.
    pub(super) fn fell(&mut self, after: Duration, roll: f64) -> Duration {
        if after >= STOOD {
            self.begin_anew();
        }
        if self.failed == 0 {
            self.failed = 1;
            return Duration::ZERO;
        }
        self.failed(false, roll)
    }

    /// A dial failed; how long to wait. `cut_off`: it was accepted and then ended without a word.
    pub(super) fn failed(&mut self, cut_off: bool, roll: f64) -> Duration {
        if cut_off && self.cut_off < CUT_OFF {
            self.cut_off += 1;
            return BETWEEN;
        }
        let doubled = 1_u32.checked_shl(self.failed.saturating_sub(1).min(16)).unwrap_or(u32::MAX);
        let whole = self.shortest.saturating_mul(doubled).min(self.longest);
        self.failed = self.failed.saturating_add(1);
        // Half of it is chance, so that replicas that fell together do not dial together for ever.
        whole.mul_f64(0.5 + roll.clamp(0.0, 1.0) / 2.0)
    }

    /// The peer gave a sign of life.
    pub(super) fn begin_anew(&mut self) {
        (self.failed, self.cut_off) = (0, 0);
    }
}

/// A random number from 0 to 1; one half when the kernel gives none, which
/// only takes the chance away.
pub(super) fn roll() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_stood_is_dialled_at_once_and_then_ever_more_slowly_up_to_a_bound() {
        let mut backoff = Backoff::new(&Timing::default());
        for _ in 0..2 {
            assert_eq!(backoff.fell(STOOD, 1.0), Duration::ZERO);
            let waits: Vec<u128> = (0..7).map(|_| backoff.failed(false, 1.0).as_millis()).collect();
            assert_eq!(waits, [50, 100, 200, 400, 800, 1000, 1000]);
        }
        assert_eq!(backoff.failed(false, 0.0), Duration::from_millis(500));
    }

    #[test]
    fn a_peer_that_accepts_and_cuts_at_once_is_not_dialled_without_end() {
        let mut backoff = Backoff::new(&Timing::default());
        let waits: Vec<u128> = (0..4).map(|_| backoff.fell(Duration::ZERO, 1.0).as_millis()).collect();
        assert_eq!(waits, [0, 50, 100, 200]);
    }

    #[test]
    fn a_dial_that_is_cut_off_is_repeated_at_once_but_not_for_ever() {
        let mut backoff = Backoff::new(&Timing::default());
        backoff.fell(STOOD, 1.0);
        let waits: Vec<u128> = (0..5).map(|_| backoff.failed(true, 1.0).as_millis()).collect();
        assert_eq!(waits, [5, 5, 5, 50, 100]);
    }
}
