//! What a start or a burst of work has left behind, given back to the kernel
//! once it adds up: what is free on the heap, between the blocks that stay, and
//! program text that is not used any more.

mod heap;
mod text;

/// What may have been left free, by the number of things that were done.
#[derive(Debug)]
pub struct Slack {
    /// Fewer leave nothing that the next ones would not use.
    burst: u64,
    /// How many there were when it was given back last.
    since: u64,
}

impl Slack {
    /// Nothing is left free by what was done before.
    #[must_use]
    pub fn new(burst: u64, done: u64) -> Self {
        Self { burst, since: done }
    }

    /// Whether it is worth a walk over the heap, now that so many were done; from
    /// then on it counts as given back.
    pub fn is_worth_it(&mut self, done: u64) -> bool {
        let is_worth_it = done.saturating_sub(self.since) >= self.burst;
        if is_worth_it {
            self.since = done;
        }
        is_worth_it
    }
}

/// Gives back what is not in use. Walks over all that is free on the heap:
/// milliseconds for one of some 10 MiB, in which whoever allocates waits for it.
pub fn give_back() {
    heap::give_back();
    text::give_back();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_worth_it_once_and_little_only_when_it_adds_up() {
        let mut slack = Slack::new(64, 1_000);
        let looks = [1_001, 1_063, 1_064, 1_065, 1_128, 4_000, 4_000];
        assert_eq!(looks.map(|done| slack.is_worth_it(done)), [false, false, true, false, true, true, false]);
    }
}
