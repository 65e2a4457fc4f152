//! The newest entries in memory: what is not yet durable always, of the rest
//! as much as was asked for.

use crate::{Entry, Lsn};
use std::collections::VecDeque;

/// Consecutive entries that end with the log's last one.
#[derive(Debug, Default)]
pub(crate) struct Tail {
    most: usize,
    bytes: usize,
    entries: VecDeque<(Lsn, Entry)>,
}

impl Tail {
    /// Keeps this many bytes of payload.
    pub(crate) fn new(most: usize) -> Self {
        Self { most, ..Self::default() }
    }

    pub(crate) fn push(&mut self, lsn: Lsn, entry: Entry) {
        self.bytes += entry.payload.len();
        self.entries.push_back((lsn, entry));
    }

    /// Drops the entries from `from` on.
    pub(crate) fn truncate(&mut self, from: u64) {
        while let Some((_, last)) = self.entries.pop_back_if(|(_, entry)| entry.at.index >= from) {
            self.bytes -= last.payload.len();
        }
    }

    /// Drops the entries before `first`.
    pub(crate) fn purge(&mut self, first: u64) {
        while let Some((_, gone)) = self.entries.pop_front_if(|(_, entry)| entry.at.index < first) {
            self.bytes -= gone.payload.len();
        }
    }

    /// Drops what is too much, if it can be read from the disk.
    pub(crate) fn shrink(&mut self, durable: Lsn) {
        while self.bytes > self.most
            && let Some((_, gone)) = self.entries.pop_front_if(|(lsn, _)| *lsn <= durable)
        {
            self.bytes -= gone.payload.len();
        }
    }

    pub(crate) fn get(&self, index: u64) -> Option<&Entry> {
        let first = self.entries.front()?.1.at.index;
        self.entries.get(usize::try_from(index.checked_sub(first)?).ok()?).map(|(_, entry)| entry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;
    use bytes::Bytes;

    fn entry(index: u64) -> Entry {
        Entry { at: Position { term: 1, index }, payload: Bytes::from(vec![0; 10]) }
    }

    #[test]
    fn it_forgets_the_oldest_but_nothing_that_is_not_durable() {
        let mut tail = Tail::new(25);
        (0..5).for_each(|index| tail.push(index + 100, entry(index)));
        tail.shrink(100);
        assert_eq!((tail.get(0), tail.get(1)), (None, Some(&entry(1))));
        tail.shrink(104);
        assert_eq!((tail.get(2), tail.get(3), tail.get(4)), (None, Some(&entry(3)), Some(&entry(4))));
        assert_eq!(tail.get(5), None);
        tail.truncate(4);
        assert_eq!((tail.get(4), tail.bytes), (None, 10));
        tail.purge(4);
        assert_eq!((tail.get(3), tail.bytes), (None, 0));
    }
}
