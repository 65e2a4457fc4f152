//! When to dial again: the numbers and the rules are the real runner's (`runner-svc/src/io/redial.rs`), since what is
//! simulated is how thousands of them behave together. Pure; chance comes from the member's own dice.

use crate::Dice;
use std::time::Duration;

/// Within this time the first try comes.
const FIRST: Duration = Duration::from_millis(100);
/// Within this time every later try comes at last; whoever talked for longer begins anew.
const LONGEST: Duration = Duration::from_secs(4);

/// Waits between conversations.
pub(super) struct Redial {
    dice: Dice,
    ceiling: Duration,
    followed: bool,
    /// Of the rounds in which it comes at last; below their period.
    phase: Duration,
}

impl Redial {
    pub(super) fn new(seed: u64) -> Self {
        let mut redial = Self { dice: Dice::new(seed), ceiling: FIRST, followed: false, phase: Duration::ZERO };
        redial.phase = LONGEST.mul_f64(redial.roll());
        redial
    }

    /// Somebody else was named: whether to dial at once. Once between two waits.
    pub(super) fn follow(&mut self) -> bool {
        !std::mem::replace(&mut self.followed, true)
    }

    /// How long to wait after a conversation that took so long; `now` on the member's own clock.
    pub(super) fn pause(&mut self, lasted: Duration, now: Duration) -> Duration {
        if lasted > LONGEST {
            self.ceiling = FIRST;
        }
        self.followed = false;
        let roll = self.roll();
        let pause = if self.ceiling == LONGEST { self.next_round(now) } else { self.ceiling.mul_f64(roll) };
        self.ceiling = (self.ceiling * 2).min(LONGEST);
        pause
    }

    /// How long to wait when told to come again after so long: up to a tenth, and a bit, longer.
    pub(super) fn later(&mut self, wait: Duration) -> Duration {
        self.followed = false;
        wait + (wait / 10 + FIRST / 10).mul_f64(self.roll())
    }

    fn next_round(&self, now: Duration) -> Duration {
        let (period, into) = (LONGEST.as_nanos(), (now + LONGEST - self.phase).as_nanos());
        Duration::from_nanos((period - into % period) as u64)
    }

    /// From 0 to 1.
    fn roll(&mut self) -> f64 {
        (self.dice.throw() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_after_short_conversations_and_begin_anew_after_a_long_one() {
        let mut redial = Redial::new(1);
        let mut now = Duration::ZERO;
        let mut pause = |redial: &mut Redial, lasted| {
            let pause = redial.pause(lasted, now);
            now += pause;
            pause
        };
        assert!(redial.follow() && !redial.follow());
        assert!(pause(&mut redial, Duration::ZERO) <= FIRST);
        assert!(redial.follow());
        let longest = (0..50).map(|_| pause(&mut redial, Duration::ZERO)).max().unwrap();
        assert!(longest > LONGEST / 2 && longest <= LONGEST, "{longest:?}");
        let rounds: Vec<Duration> = (0..5).map(|_| pause(&mut redial, Duration::ZERO)).collect();
        assert!(rounds.iter().all(|one| one.abs_diff(LONGEST) < FIRST / 100), "{rounds:?}");
        assert!(pause(&mut redial, LONGEST * 2) <= FIRST);
        let second = Duration::from_secs(1);
        assert!((0..50).all(|_| (second..second + FIRST * 2).contains(&redial.later(second))));
    }
}
