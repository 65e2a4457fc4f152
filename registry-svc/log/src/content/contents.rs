//! What the log holds: entries, vote, purge position. Enters a change with
//! its place; leaves the new content. Requests are judged here too, so that
//! nothing is ever written that could not be replayed.

use super::{Index, Place};
use crate::format::{Change, Head};
use crate::{Entry, Extent, Position, Refused, Vote};

/// The content.
#[derive(Debug, Clone, Default)]
pub(crate) struct Contents {
    boot: u64,
    vote: Option<Vote>,
    purged: Option<Position>,
    last: Option<Position>,
    /// What came before the first entry of `index`.
    before: Option<Position>,
    index: Index,
}

impl Contents {
    /// What a log whose first segment begins with `head` holds before it.
    pub(crate) fn from_head(head: &Head) -> Self {
        let Head { boot, vote, purged, last } = *head;
        Self { boot, vote, purged, last, before: last, index: Index::default() }
    }

    /// What a segment that begins now has to repeat.
    pub(crate) fn head(&self) -> Head {
        Head { boot: self.boot, vote: self.vote, purged: self.purged, last: self.last }
    }

    pub(crate) fn boot(&self) -> u64 {
        self.boot
    }

    pub(crate) fn vote(&self) -> Option<Vote> {
        self.vote
    }

    pub(crate) fn index(&self) -> &Index {
        &self.index
    }

    pub(crate) fn last(&self) -> Option<Position> {
        self.last
    }

    pub(crate) fn extent(&self) -> Extent {
        Extent { purged: self.purged, first: self.index.first(), last: self.last }
    }

    /// The index that an append has to begin with; `None`: any, since there
    /// never was an entry.
    pub(crate) fn next(&self) -> Option<u64> {
        self.last.map(|last| last.index + 1)
    }

    /// The oldest segment with an entry that is still held; `None` when no
    /// entry is.
    pub(crate) fn oldest_segment(&self) -> Option<u64> {
        self.index.place(self.index.first()?).map(|place| place.segment)
    }

    /// Makes a change. `false`, and nothing happened, when it cannot follow
    /// what is there: then it was not made by this log.
    pub(crate) fn apply(&mut self, change: &Change, place: Place) -> bool {
        match *change {
            Change::Head(head) => {
                // It repeats what is known; only the boot may be new.
                let known = Head { boot: head.boot, ..self.head() };
                if head != known || head.boot < self.boot {
                    return false;
                }
                self.boot = head.boot;
            }
            Change::Entry(at) => {
                if self.next().is_some_and(|next| next != at.index) {
                    return false;
                }
                if self.index.first().is_none() {
                    self.before = self.last;
                }
                self.index.push(at, place);
                self.last = Some(at);
            }
            Change::Truncate { from, last } => {
                if last.is_some_and(|last| last.index + 1 != from) {
                    return false;
                }
                self.index.truncate(from);
                self.last = last;
            }
            Change::Purge(upto) => {
                if self.purged.is_some_and(|purged| purged.index > upto.index) {
                    return false;
                }
                self.index.purge(upto.index + 1);
                self.purged = Some(upto);
                if self.last.is_none_or(|last| last.index <= upto.index) {
                    self.last = Some(upto);
                }
            }
            Change::Vote(vote) => self.vote = Some(vote),
        }
        true
    }

    /// The index of the first entry that should be there and is not: between
    /// the purge position and the entries that are held.
    pub(crate) fn missing(&self) -> Option<u64> {
        let before = if self.index.first().is_some() { self.before } else { self.last }?;
        match self.purged {
            Some(purged) => (purged.index < before.index).then_some(purged.index + 1),
            None => Some(0),
        }
    }

    /// Whether entries may be appended.
    pub(crate) fn follows(&self, entries: &[Entry]) -> Result<(), Refused> {
        let mut expected = self.next();
        for entry in entries {
            let found = entry.at.index;
            if let Some(expected) = expected.filter(|expected| *expected != found) {
                return Err(Refused::Gap { expected, found });
            }
            expected = Some(found + 1);
        }
        Ok(())
    }

    /// The change that truncates; `None` when there is nothing to remove.
    pub(crate) fn truncation(&self, from: u64) -> Result<Option<Change>, Refused> {
        if let Some(purged) = self.purged.filter(|purged| from <= purged.index) {
            return Err(Refused::Purged { from, purged: purged.index });
        }
        let Some(first) = self.index.first().filter(|_| self.last.is_some_and(|last| from <= last.index)) else {
            return Ok(None);
        };
        let last = if from <= first {
            self.purged
        } else {
            self.index.term(from - 1).map(|term| Position { term, index: from - 1 })
        };
        // Below the first entry of a log that began at another index than 0
        // there is nothing: the log is as if it never held anything.
        Ok(Some(Change::Truncate { from: from.max(first), last }))
    }

    /// The change that purges; `None` when there is nothing to remove.
    pub(crate) fn purging(&self, upto: Position) -> Option<Change> {
        self.purged.is_none_or(|purged| purged.index < upto.index).then_some(Change::Purge(upto))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(index: u64) -> Position {
        Position { term: 1, index }
    }

    fn place(segment: u64) -> Place {
        Place { segment, offset: 4096, size: 64 }
    }

    /// A log whose earlier segments, with everything up to entry 9, are gone.
    fn begun_at_ten(purged: Option<Position>) -> Contents {
        Contents::from_head(&Head { boot: 1, vote: None, purged, last: Some(at(9)) })
    }

    #[test]
    fn entries_between_the_purged_ones_and_the_first_are_missing() {
        let mut contents = begun_at_ten(Some(at(6)));
        assert_eq!(contents.missing(), Some(7));
        assert!(contents.apply(&Change::Entry(at(10)), place(2)));
        assert_eq!(contents.missing(), Some(7));
        assert_eq!(begun_at_ten(None).missing(), Some(0));
        // They went before their segments did.
        assert!(contents.apply(&Change::Purge(at(9)), place(2)));
        assert_eq!(contents.missing(), None);
        assert_eq!(begun_at_ten(Some(at(9))).missing(), None);
        assert_eq!(Contents::default().missing(), None);
    }

    #[test]
    fn a_truncation_into_segments_that_are_gone_says_what_is_last() {
        let mut contents = begun_at_ten(Some(at(3)));
        assert!(contents.apply(&Change::Truncate { from: 5, last: Some(at(4)) }, place(2)));
        assert_eq!((contents.next(), contents.missing()), (Some(5), Some(4)));
        assert!(contents.apply(&Change::Entry(at(5)), place(2)));
        assert!(contents.apply(&Change::Purge(at(4)), place(2)));
        assert_eq!((contents.extent().first, contents.missing()), (Some(5), None));
    }

    #[test]
    fn what_cannot_follow_is_not_applied() {
        let contents = begun_at_ten(Some(at(9)));
        let head = contents.head();
        for change in [
            Change::Entry(at(11)),
            Change::Entry(at(9)),
            Change::Purge(at(8)),
            Change::Truncate { from: 7, last: Some(at(5)) },
            Change::Head(Head { boot: 0, ..head }),
            Change::Head(Head { last: Some(at(8)), ..head }),
        ] {
            assert!(!contents.clone().apply(&change, place(2)), "{change:?}");
        }
    }

    #[test]
    fn the_oldest_segment_is_the_one_of_the_first_entry_that_is_left() {
        let mut contents = Contents::default();
        for index in 0..6 {
            assert!(contents.apply(&Change::Entry(at(index)), place(1 + index / 2)));
        }
        assert_eq!(contents.oldest_segment(), Some(1));
        assert!(contents.apply(&Change::Purge(at(1)), place(3)));
        assert_eq!(contents.oldest_segment(), Some(2));
        assert!(contents.apply(&Change::Purge(at(5)), place(3)));
        assert_eq!(contents.oldest_segment(), None);
    }
}
