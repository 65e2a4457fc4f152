//! Looks at every replica all the time: in no term do two lead. What it sees
//! is what clients see, so two that lead between two looks may be missed, but
//! no two that go on doing so.

use crate::{RegistryClient, Replicas};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two looks at one replica: shorter than any election.
const LOOK: Duration = Duration::from_millis(25);

/// Leaders by term: ids of those who said so of themselves.
type Leaders = BTreeMap<u64, BTreeSet<u64>>;

/// A watch that runs.
pub struct TermWatch {
    over: Arc<AtomicBool>,
    looking: Vec<JoinHandle<Leaders>>,
}

impl TermWatch {
    /// Begins.
    #[must_use]
    pub fn start(replicas: &Replicas) -> Self {
        let over = Arc::<AtomicBool>::default();
        // One thread each: one that does not answer must not hide the others.
        let look = |client| {
            let over = over.clone();
            std::thread::spawn(move || look(&client, &over))
        };
        Self { looking: replicas.new_clients().into_iter().map(look).collect(), over }
    }

    /// Ends it and returns how many terms had a leader.
    ///
    /// # Panics
    /// When a term had two.
    #[track_caller]
    pub fn finish(self) -> usize {
        self.over.store(true, Ordering::Relaxed);
        let mut leaders = Leaders::new();
        for looking in self.looking {
            for (term, ids) in looking.join().expect("looking does not panic") {
                leaders.entry(term).or_default().extend(ids);
            }
        }
        check(&leaders);
        leaders.len()
    }
}

fn look(client: &RegistryClient, over: &AtomicBool) -> Leaders {
    let mut leaders = Leaders::new();
    while !over.load(Ordering::Relaxed) {
        if let Ok(status) = client.status()
            && status.id != 0
            && status.leader_id == status.id
        {
            leaders.entry(status.term).or_default().insert(status.id);
        }
        std::thread::park_timeout(LOOK);
    }
    leaders
}

#[track_caller]
fn check(leaders: &Leaders) {
    let doubled: Vec<_> = leaders.iter().filter(|(_, ids)| ids.len() > 1).collect();
    assert!(doubled.is_empty(), "two leaders in one term: {doubled:?}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "two leaders in one term")]
    fn two_leaders_in_one_term_are_found() {
        check(&Leaders::from([(1, BTreeSet::from([1])), (2, BTreeSet::from([1, 3]))]));
    }
}
