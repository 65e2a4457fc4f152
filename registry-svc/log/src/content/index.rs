//! Entries by index: term and place of each, at eight bytes an entry.

use super::Place;
use super::runs::Runs;
use crate::Position;
use std::collections::VecDeque;

/// Consecutive entries.
#[derive(Debug, Clone, Default)]
pub(crate) struct Index {
    first: u64,
    /// Offset and size of each.
    slots: VecDeque<(u32, u32)>,
    terms: Runs,
    segments: Runs,
}

impl Index {
    /// Index of the first entry; `None` when there is none.
    pub(crate) fn first(&self) -> Option<u64> {
        (!self.slots.is_empty()).then_some(self.first)
    }

    /// The last entry's place in the log.
    #[cfg(test)]
    fn last(&self) -> Option<Position> {
        let index = self.end().checked_sub(1).filter(|_| !self.slots.is_empty())?;
        Some(Position { term: self.terms.get(index)?, index })
    }

    /// The index after the last.
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    /// Adds an entry; when others are there, it has to follow them.
    pub(crate) fn push(&mut self, at: Position, place: Place) {
        if self.slots.is_empty() {
            *self = Self { first: at.index, ..Self::default() };
        }
        debug_assert_eq!(self.end(), at.index);
        self.slots.push_back((place.offset, place.size));
        self.terms.push(at.index, at.term);
        self.segments.push(at.index, place.segment);
    }

    /// Removes the entries from `from` on.
    pub(crate) fn truncate(&mut self, from: u64) {
        let left = from.saturating_sub(self.first);
        self.slots.truncate(usize::try_from(left).unwrap_or(usize::MAX));
        self.terms.truncate(from);
        self.segments.truncate(from);
    }

    /// Removes the entries before `first`.
    pub(crate) fn purge(&mut self, first: u64) {
        let gone = first.saturating_sub(self.first).min(self.slots.len() as u64);
        self.slots.drain(..gone as usize);
        self.first += gone;
        self.terms.purge(first);
        self.segments.purge(first);
        if self.slots.is_empty() {
            *self = Self::default();
        } else if self.slots.len() * 4 < self.slots.capacity() {
            // After a long log was purged, its memory goes back.
            self.slots.shrink_to(self.slots.len() * 2);
        }
    }

    /// Term of an entry.
    pub(crate) fn term(&self, index: u64) -> Option<u64> {
        self.slot(index).and_then(|_| self.terms.get(index))
    }

    /// Where an entry lies.
    pub(crate) fn place(&self, index: u64) -> Option<Place> {
        let (offset, size) = *self.slot(index)?;
        Some(Place { segment: self.segments.get(index)?, offset, size })
    }

    fn slot(&self, index: u64) -> Option<&(u32, u32)> {
        self.slots.get(usize::try_from(index.checked_sub(self.first)?).ok()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn place(n: u64) -> Place {
        Place { segment: n / 5, offset: n as u32 * 8, size: 8 }
    }

    proptest! {
        #[test]
        fn it_answers_as_a_plain_list_would(steps in proptest::collection::vec((0..4_u8, 0..12_u64), 1..80)) {
            let mut index = Index::default();
            let mut list: Vec<(Position, Place)> = Vec::new();
            let (mut next, mut counter) = (3, 0);
            for (kind, n) in steps {
                match kind {
                    0 | 1 => {
                        counter += 1;
                        let entry = (Position { term: counter / 7, index: next }, place(counter));
                        index.push(entry.0, entry.1);
                        list.push(entry);
                        next += 1;
                    }
                    2 => {
                        let from = next.saturating_sub(n).max(list.first().map_or(next, |e| e.0.index));
                        index.truncate(from);
                        list.retain(|e| e.0.index < from);
                        next = from;
                    }
                    _ => {
                        let first = list.first().map_or(next, |e| e.0.index) + n / 2;
                        let first = first.min(next);
                        index.purge(first);
                        list.retain(|e| e.0.index >= first);
                    }
                }
                prop_assert_eq!(index.first(), list.first().map(|e| e.0.index));
                prop_assert_eq!(index.last(), list.last().map(|e| e.0));
                for wanted in 0..next + 2 {
                    let held = list.iter().find(|e| e.0.index == wanted);
                    prop_assert_eq!(index.term(wanted), held.map(|e| e.0.term));
                    prop_assert_eq!(index.place(wanted), held.map(|e| e.1));
                }
            }
        }
    }
}
