//! How often somebody may try to join in vain: so many tries of one source, and so many of all, in a minute. In memory, of this
//! replica alone: a guess has one chance in 2^256, so what this keeps off is load, and noise in the audit log.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The time that tries are counted over.
const WINDOW: Duration = Duration::from_secs(60);
/// Tries of one source. A person who mistypes needs three.
const OF_ONE: u32 = 10;
/// Tries of all.
const OF_ALL: u32 = 600;
/// Sources that are told apart; what is beyond counts for all alone.
const SOURCES: usize = 10_000;

#[derive(Debug)]
pub(crate) struct Turnstile(Mutex<Counts>);

#[derive(Debug)]
struct Counts {
    since: Instant,
    all: u32,
    by_source: BTreeMap<Option<IpAddr>, u32>,
}

impl Default for Turnstile {
    fn default() -> Self {
        Self(Mutex::new(Counts { since: Instant::now(), all: 0, by_source: BTreeMap::new() }))
    }
}

impl Turnstile {
    /// Lets a try through, or not.
    pub(crate) fn pass(&self, source: Option<IpAddr>, now: Instant) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if now.duration_since(counts.since) >= WINDOW {
            *counts = Counts { since: now, all: 0, by_source: BTreeMap::new() };
        }
        if counts.all >= OF_ALL {
            return false;
        }
        if counts.by_source.len() < SOURCES || counts.by_source.contains_key(&source) {
            let of_one = counts.by_source.entry(source).or_default();
            if *of_one >= OF_ONE {
                return false;
            }
            *of_one += 1;
        }
        counts.all += 1;
        true
    }

    /// A try was none in vain: a rack of new machines may be behind one address.
    pub(crate) fn forget(&self, source: Option<IpAddr>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.all = counts.all.saturating_sub(1);
        if let Some(of_one) = counts.by_source.get_mut(&source) {
            *of_one = of_one.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_is_stopped_without_stopping_the_others_and_all_are_bounded() {
        let (turnstile, now) = (Turnstile::default(), Instant::now());
        let source = |n: u8| Some(IpAddr::from([10, 0, 0, n]));
        assert_eq!((0..1_000).filter(|_| turnstile.pass(source(1), now)).count(), OF_ONE as usize);
        assert!(turnstile.pass(source(2), now));
        let many = (0..200_u8).flat_map(|n| std::iter::repeat_n(source(n), 10)).filter(|one| turnstile.pass(*one, now));
        assert_eq!(many.count(), OF_ALL as usize - OF_ONE as usize - 1);
        let later = now + WINDOW;
        assert!(turnstile.pass(source(1), later), "the next minute");
        for _ in 0..1_000 {
            assert!(turnstile.pass(source(3), later), "whoever is let in is not counted");
            turnstile.forget(source(3));
        }
    }
}
