//! Chance that can be repeated: the same seed gives the same throws. And how
//! long a run is, which CI and a night's run decide differently.

use std::time::{SystemTime, UNIX_EPOCH};

/// SplitMix64 (Steele, Lea, Flood 2014): enough to choose victims and moments.
#[derive(Clone, Debug)]
pub struct Dice(u64);

impl Dice {
    /// Dice of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// Dice of `PM_TEST_SEED`, or of the clock. Prints the seed: the way to
    /// the same choices again.
    #[must_use]
    pub fn of_run(test: &str) -> Self {
        let clock = || SystemTime::now().duration_since(UNIX_EPOCH).map_or(1, |now| u64::from(now.subsec_nanos()));
        let seed = number("PM_TEST_SEED").unwrap_or_else(clock);
        println!("{test}: the choices of this run again with PM_TEST_SEED={seed}");
        Self::new(seed)
    }

    /// The next number.
    pub fn throw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        let bound = u64::try_from(bound).expect("a bound fits");
        usize::try_from(self.throw() % bound).expect("it is below a usize")
    }

    /// One of them.
    pub fn one_of<'a, T>(&mut self, among: &'a [T]) -> &'a T {
        &among[self.below(among.len())]
    }
}

/// How often a row is repeated: `PM_TEST_ROUNDS`, or what CI has time for.
#[must_use]
pub fn rounds(in_ci: usize) -> usize {
    number("PM_TEST_ROUNDS").map_or(in_ci, |rounds| usize::try_from(rounds).expect("a number of rounds"))
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, no number")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_throws_and_they_spread() {
        let throws = |seed| {
            let mut dice = Dice::new(seed);
            (0..600).map(|_| dice.below(6)).collect::<Vec<_>>()
        };
        assert_eq!(throws(7), throws(7));
        assert_ne!(throws(7), throws(8));
        for face in 0..6 {
            assert!((50..150).contains(&throws(7).iter().filter(|throw| **throw == face).count()));
        }
    }
}
