//! A value for each index, stored once for a run of equal ones: the term, the
//! segment.

use std::collections::VecDeque;

/// Runs by their first index.
#[derive(Debug, Clone, Default)]
pub(super) struct Runs(VecDeque<(u64, u64)>);

impl Runs {
    /// The value from `index` on, which follows all indexes before.
    pub(super) fn push(&mut self, index: u64, value: u64) {
        if self.0.back().is_none_or(|(_, last)| *last != value) {
            self.0.push_back((index, value));
        }
    }

    /// Forgets the indexes from `from` on.
    pub(super) fn truncate(&mut self, from: u64) {
        while self.0.back().is_some_and(|(first, _)| *first >= from) {
            self.0.pop_back();
        }
    }

    /// Forgets the indexes before `first`.
    pub(super) fn purge(&mut self, first: u64) {
        while self.0.get(1).is_some_and(|(next, _)| *next <= first) {
            self.0.pop_front();
        }
    }

    /// The value at an index that is held.
    pub(super) fn get(&self, index: u64) -> Option<u64> {
        let run = self.0.partition_point(|(first, _)| *first <= index).checked_sub(1)?;
        self.0.get(run).map(|(_, value)| *value)
    }
}
