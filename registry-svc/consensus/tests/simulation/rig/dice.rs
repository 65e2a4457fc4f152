//! Chance, all of it from one seed. Whatever draws on its own (a disk, a wire,
//! a client) gets dice of its own, so that one draw more of one of them does
//! not change what the others draw.

use registry_quorum::Chance;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A sequence of numbers; clones go on with the same one.
#[derive(Clone)]
pub(crate) struct Dice(Arc<Mutex<Chance>>);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(Chance::new(seed))))
    }

    /// Dice of somebody's own.
    pub(crate) fn fork(&self) -> Self {
        Self::new(self.0.lock().unwrap().draw())
    }

    /// From `least` to `most`, both included.
    pub(crate) fn between(&self, least: u64, most: u64) -> u64 {
        least + self.0.lock().unwrap().up_to(most.saturating_sub(least))
    }

    /// True so many times of a thousand.
    pub(crate) fn permille(&self, often: u64) -> bool {
        self.between(0, 999) < often
    }

    pub(crate) fn millis(&self, least: u64, most: u64) -> Duration {
        Duration::from_millis(self.between(least, most))
    }

    pub(crate) fn micros(&self, least: u64, most: u64) -> Duration {
        Duration::from_micros(self.between(least, most))
    }

    /// One of them; there has to be one.
    pub(crate) fn one_of<T: Clone>(&self, all: &[T]) -> T {
        all[self.between(0, all.len() as u64 - 1) as usize].clone()
    }
}
