//! The high-water mark.

use super::fields::{Fields, Put as _};
use super::segment_header::{begin, finish, verified};
use crate::{Identity, Lsn, Position};

/// What is known to be durable, written after it is. A log that is behind its
/// mark has lost something; a crash alone cannot do that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) identity: Identity,
    /// Grows with each mark; its parity is the slot.
    pub(crate) sequence: u64,
    /// How often the log was opened. Written before that opening's first record.
    pub(crate) boot: u64,
    /// The segments from `first` to `last` exist. A segment is written to only
    /// after a mark lists it, and freed only after a mark does not.
    pub(crate) first: u64,
    pub(crate) last: u64,
    /// Everything up to this record is durable.
    pub(crate) durable: Lsn,
    /// Where that record ends: segment and offset.
    pub(crate) end: (u64, u64),
    /// Committed position; nothing depends on its being the newest.
    pub(crate) committed: Option<Position>,
}

/// Number of slots.
pub(crate) const SLOTS: u64 = 2;
const MAGIC: &[u8; 8] = b"PMLOGMRK";

impl Mark {
    /// Which slot it belongs to.
    pub(crate) fn slot(&self) -> u64 {
        self.sequence % SLOTS
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = begin(MAGIC);
        out.put_identity(&self.identity);
        for field in [self.sequence, self.boot, self.first, self.last, self.durable, self.end.0, self.end.1] {
            out.put_u64(field);
        }
        out.put_position(self.committed);
        finish(out)
    }

    /// As [`SegmentHeader::read`](super::SegmentHeader::read).
    pub(crate) fn read(block: &[u8]) -> Option<Result<Self, u32>> {
        let mut fields = match verified(block, MAGIC)? {
            Ok(fields) => fields,
            Err(format) => return Some(Err(format)),
        };
        let mark = Self {
            identity: fields.identity()?,
            sequence: fields.u64()?,
            boot: fields.u64()?,
            first: fields.u64()?,
            last: fields.u64()?,
            durable: fields.u64()?,
            end: (fields.u64()?, fields.u64()?),
            committed: fields.optional(Fields::position)?,
        };
        (mark.first <= mark.last).then_some(Ok(mark))
    }

    /// The one that counts of what the slots hold. One unreadable slot is what
    /// a crash leaves behind while a mark is written: what that mark would
    /// have said was relied on by nobody yet.
    pub(crate) fn newest(slots: &[Option<Self>]) -> Option<Self> {
        slots.iter().flatten().copied().max_by_key(|mark| mark.sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_reads_back_and_any_flipped_bit_is_noticed() {
        let identity = Identity { cluster: [1; 16], replica: 2, epoch: 3, store: [4; 16] };
        let committed = Some(Position { term: 1, index: 2 });
        let mark = Mark { identity, sequence: 9, boot: 2, first: 3, last: 5, durable: 70, end: (4, 8192), committed };
        let block = mark.encode();
        assert_eq!(Mark::read(&block), Some(Ok(mark)));
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(Mark::read(&flipped), None, "bit {bit}");
        }
        let older = Mark { sequence: 8, ..mark };
        assert_eq!(Mark::newest(&[Some(older), Some(mark)]), Some(mark));
        assert_eq!(Mark::newest(&[Some(older), None]), Some(older));
        assert_eq!(Mark::newest(&[None, None]), None);
    }
}
