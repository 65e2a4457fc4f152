//! Pauses between attempts: full jitter, so that a thousand callers that lost the same leader do not come back as one.
//! (Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.)

use std::time::Duration;

/// Below this the first pause is: an election takes some 100 ms, so the first tries cost little and may hit at once.
const SHORTEST: Duration = Duration::from_millis(20);

/// Below this every later pause is.
const LONGEST: Duration = Duration::from_secs(2);

/// The pauses of one call.
#[derive(Debug, Default)]
pub(super) struct Pauses {
    taken: u32,
}

impl Pauses {
    /// The next pause; `roll` is chance, from 0 to 1.
    pub(super) fn next(&mut self, roll: f64) -> Duration {
        let ceiling = SHORTEST.saturating_mul(1_u32.checked_shl(self.taken).unwrap_or(u32::MAX)).min(LONGEST);
        self.taken = self.taken.saturating_add(1);
        ceiling.mul_f64(roll.clamp(0.0, 1.0))
    }
}

/// Chance; one half when the kernel gives none, which only takes the jitter away.
#[must_use]
pub fn roll() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ceilings_double_from_20_ms_to_2_s_and_the_whole_room_below_is_used() {
        let mut pauses = Pauses::default();
        let ceilings: Vec<u128> = (0..9).map(|_| pauses.next(1.0).as_millis()).collect();
        assert_eq!(ceilings, [20, 40, 80, 160, 320, 640, 1280, 2000, 2000]);
        assert_eq!(Pauses::default().next(0.0), Duration::ZERO);
        assert_eq!(Pauses { taken: 40 }.next(0.5), Duration::from_secs(1));
    }
}
