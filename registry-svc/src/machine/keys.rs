//! Keys of rows that have yet to be written. Hundreds of thousands of them
//! come while the state is locked, and a set that has to grow moves all that
//! it has: so they are many sets, none of which is large.

use registry_domain::RowKey;
use std::collections::HashSet;
use std::hash::{BuildHasher as _, RandomState};

/// Sets; one of them grows in about a hundredth of the time that all in one would take.
const SETS: usize = 128;

/// A set of keys.
#[derive(Debug)]
pub(super) struct Keys {
    sets: Vec<HashSet<RowKey>>,
    which: RandomState,
    len: usize,
}

impl Keys {
    pub(super) fn new() -> Self {
        Self { sets: Vec::new(), which: RandomState::new(), len: 0 }
    }

    pub(super) fn insert(&mut self, key: RowKey) {
        if self.sets.is_empty() {
            self.sets.resize_with(SETS, HashSet::new);
        }
        let which = usize::try_from(self.which.hash_one(&key) % SETS as u64).unwrap_or(0);
        self.len += usize::from(self.sets[which].insert(key));
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.len
    }
}

impl IntoIterator for Keys {
    type Item = RowKey;
    type IntoIter = std::iter::Flatten<std::vec::IntoIter<HashSet<RowKey>>>;

    fn into_iter(self) -> Self::IntoIter {
        self.sets.into_iter().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn each_key_is_there_once_and_no_set_has_many_of_them() {
        let mut keys = Keys::new();
        let all: BTreeSet<RowKey> = (0..50_000).map(RowKey::Action).collect();
        all.iter().cycle().take(100_000).for_each(|key| keys.insert(key.clone()));
        assert_eq!(keys.len(), all.len());
        let largest = keys.sets.iter().map(HashSet::len).max();
        assert!(largest < Some(2 * all.len() / SETS), "{largest:?}");
        assert_eq!(keys.into_iter().collect::<BTreeSet<_>>(), all);
    }
}
