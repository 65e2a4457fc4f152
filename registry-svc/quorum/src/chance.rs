//! Chance that is passed in: the same seed gives the same delays, so that a
//! simulation repeats and replicas that were given different seeds do not
//! stand in the same millisecond for ever.

/// A sequence of numbers from a seed (SplitMix64, Steele et al. 2014): short,
/// without state that could be set badly. Not for secrets.
#[derive(Clone, Debug)]
pub struct Chance {
    state: u64,
}

impl Chance {
    /// The sequence of this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// The next number.
    #[must_use]
    pub fn draw(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number from 0 to `most`, both included. The bias of the remainder is
    /// below 2^-50 for the delays that it is used for.
    #[must_use]
    pub fn up_to(&mut self, most: u64) -> u64 {
        match most.checked_add(1) {
            Some(count) => self.draw() % count,
            None => self.draw(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_and_two_seeds_differ() {
        let draws = |seed| (0..8).scan(Chance::new(seed), |chance, _| Some(chance.draw())).collect::<Vec<_>>();
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn a_draw_keeps_its_bounds_and_reaches_them() {
        let mut chance = Chance::new(3);
        let drawn: Vec<u64> = (0..200).map(|_| chance.up_to(3)).collect();
        assert!((0..=3).all(|value| drawn.contains(&value)));
        assert!(drawn.iter().all(|value| *value <= 3));
        assert_eq!(chance.up_to(0), 0);
    }
}
