//! Records, one after the other, into contents. Pure: enter a segment's
//! bytes, leave what they say or where they are wrong.

use crate::content::{Contents, Place};
use crate::format::{BLOCK, Change, Mark, Raw};
use crate::{Damage, Lsn};

/// The log so far.
#[derive(Debug)]
pub(super) struct Replay {
    mark: Mark,
    /// `None` before the first record.
    contents: Option<Contents>,
    lsn: Lsn,
    crc: u32,
    records: u64,
    /// Segment and offset behind the last record.
    end: (u64, u64),
}

/// Something wrong, and where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Flaw {
    pub(super) segment: u64,
    pub(super) offset: u64,
    pub(super) damage: Damage,
}

impl Replay {
    /// Begins with the first segment that the mark lists.
    pub(super) fn new(mark: Mark) -> Self {
        Self { mark, contents: None, lsn: 0, crc: 0, records: 0, end: (mark.first, BLOCK) }
    }

    /// Reads on in the next segment; says whether it begins with a record.
    /// It ends where the chain does, which may be right or wrong.
    pub(super) fn segment(&mut self, number: u64, tag: u64, bytes: &[u8]) -> Result<bool, Flaw> {
        let mut offset = BLOCK as usize;
        while let Some(rest) = bytes.get(offset..)
            && let Ok(raw) = Raw::read(rest, tag)
        {
            let begins = offset == BLOCK as usize;
            if !self.follows(&raw, number) {
                if begins {
                    // This segment was begun, so the one before was complete.
                    let (segment, offset) = self.end;
                    return Err(Flaw { segment, offset, damage: Damage::Record });
                }
                break;
            }
            self.take(&raw, number, offset, begins).map_err(|damage| Flaw {
                segment: number,
                offset: offset as u64,
                damage,
            })?;
            offset += raw.size;
        }
        Ok(offset > BLOCK as usize)
    }

    fn follows(&self, raw: &Raw<'_>, number: u64) -> bool {
        if self.contents.is_some() || number == 1 {
            return raw.chain.lsn == self.lsn + 1 && raw.chain.previous == self.crc;
        }
        // What came before the oldest segment is gone.
        number == self.mark.first
    }

    fn take(&mut self, raw: &Raw<'_>, number: u64, offset: usize, begins: bool) -> Result<(), Damage> {
        let change = raw.change().ok_or(Damage::Content)?;
        // Both fit: a segment has at most 2^30 bytes.
        let place = Place { segment: number, offset: offset as u32, size: raw.size as u32 };
        let contents = match (&mut self.contents, &change) {
            (Some(_), Change::Entry(_) | Change::Truncate { .. } | Change::Purge(_) | Change::Vote(_)) if begins => {
                return Err(Damage::Content);
            }
            (Some(contents), _) => contents,
            (none, Change::Head(head)) => none.insert(Contents::from_head(head)),
            (None, _) => return Err(Damage::Content),
        };
        if !contents.apply(&change, place) {
            return Err(Damage::Content);
        }
        (self.lsn, self.crc, self.end) = (raw.chain.lsn, raw.crc, (number, place.end()));
        self.records += 1;
        // The mark names the place as well: what is elsewhere is another log.
        if self.lsn == self.mark.durable && self.end != self.mark.end {
            return Err(Damage::Chain);
        }
        Ok(())
    }

    pub(super) fn lsn(&self) -> Lsn {
        self.lsn
    }

    pub(super) fn end(&self) -> (u64, u64) {
        self.end
    }

    pub(super) fn crc(&self) -> u32 {
        self.crc
    }

    pub(super) fn records(&self) -> u64 {
        self.records
    }

    /// What the log holds; empty when it has no record.
    pub(super) fn into_contents(self) -> Contents {
        self.contents.unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::{Chain, Head, encode};
    use crate::{Identity, Position};

    fn mark(durable: Lsn, end: (u64, u64)) -> Mark {
        let identity = Identity { cluster: [1; 16], replica: 2, epoch: 3, store: [4; 16] };
        Mark { identity, sequence: 1, boot: 1, first: 1, last: 2, durable, end, committed: None }
    }

    /// A segment with a head and two entries, beginning behind a record with
    /// this number and checksum; and its last checksum.
    fn segment(number: u64, lsn: Lsn, crc: u32, head: Head) -> (Vec<u8>, u32) {
        let (mut bytes, mut previous) = (vec![0; BLOCK as usize], crc);
        let first = head.last.map_or(0, |last| last.index + 1);
        let entry = |index| Change::Entry(Position { term: 1, index });
        for (n, change) in (1..).zip([Change::Head(head), entry(first), entry(first + 1)]) {
            let chain = Chain { lsn: lsn + n, group: lsn + n, tag: number + 100, previous };
            previous = encode(&mut bytes, &chain, &change, b"");
        }
        bytes.resize(8192, 0);
        (bytes, previous)
    }

    const END: u64 = BLOCK + 152 + 2 * 56;

    #[test]
    fn segments_follow_each_other_by_number_and_checksum() {
        let (one, crc) = segment(1, 0, 0, Head::default());
        let next = Head { last: Some(Position { term: 1, index: 1 }), ..Head::default() };
        let walk = |lsn, crc| {
            let mut replay = Replay::new(mark(0, (1, BLOCK)));
            assert_eq!(replay.segment(1, 101, &one), Ok(true));
            replay.segment(2, 102, &segment(2, lsn, crc, next).0).map(|_| (replay.lsn(), replay.end()))
        };
        assert_eq!(walk(3, crc), Ok((6, (2, END))));
        let lost = Err(Flaw { segment: 1, offset: END, damage: Damage::Record });
        assert_eq!(walk(3, crc ^ 1), lost);
        assert_eq!(walk(4, crc), lost);
    }

    #[test]
    fn the_first_segment_of_all_begins_with_the_first_record_of_all() {
        for (lsn, crc) in [(1, 0), (0, 1)] {
            let mut replay = Replay::new(mark(0, (1, BLOCK)));
            assert!(replay.segment(1, 101, &segment(1, lsn, crc, Head::default()).0).is_err());
        }
    }

    #[test]
    fn the_durable_record_lies_where_the_mark_says() {
        let (one, _) = segment(1, 0, 0, Head::default());
        assert_eq!(Replay::new(mark(3, (1, END))).segment(1, 101, &one), Ok(true));
        let elsewhere = Replay::new(mark(3, (1, END + 8))).segment(1, 101, &one);
        assert_eq!(elsewhere, Err(Flaw { segment: 1, offset: END - 56, damage: Damage::Chain }));
    }
}
