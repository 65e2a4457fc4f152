//! A record as it lies in a segment: its frame is verified, its meaning not
//! yet looked at.

use super::fields::Fields;
use super::{Chain, Change, Head, Unsound};
use crate::{Lsn, Position};

/// `crc32 | payload length | kind, 3 × 0 | crc32 of the record before | lsn |
/// first lsn of the group | tag of the segment | term | index | payload |
/// zeros to a multiple of 8`. The checksum covers everything after itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Raw<'a> {
    pub(crate) chain: Chain,
    /// Its own checksum.
    pub(crate) crc: u32,
    /// Bytes that it takes.
    pub(crate) size: usize,
    pub(super) kind: u8,
    pub(super) term: u64,
    pub(super) index: u64,
    /// An entry's payload; for other kinds, their fields.
    pub(crate) payload: &'a [u8],
}

/// Bytes before the payload.
pub(super) const FRAME: usize = 56;
/// Where the segment's tag stands.
const TAG_AT: usize = 32;

impl<'a> Raw<'a> {
    pub(super) const HEAD: u8 = 1;
    pub(super) const ENTRY: u8 = 2;
    pub(super) const TRUNCATE: u8 = 3;
    pub(super) const PURGE: u8 = 4;
    pub(super) const VOTE: u8 = 5;

    /// Whether the bytes claim to be a record of the segment with this tag.
    /// Cheap: asked for each eighth byte behind the end of a log.
    pub(crate) fn claims(bytes: &[u8], tag: u64) -> bool {
        bytes.get(TAG_AT..TAG_AT + 8).is_some_and(|field| field == tag.to_le_bytes())
    }

    /// The record at the front of `bytes`.
    pub(crate) fn read(bytes: &'a [u8], tag: u64) -> Result<Self, Unsound> {
        Self::within(bytes, tag, Lsn::MAX)
    }

    /// As [`read`](Self::read), but nothing with a number above `highest` is
    /// worth the reckoning of its checksum.
    pub(crate) fn within(bytes: &'a [u8], tag: u64, highest: Lsn) -> Result<Self, Unsound> {
        if !Self::claims(bytes, tag) {
            return Err(Unsound::Other);
        }
        Self::verified(bytes, tag, highest).ok_or(Unsound::Torn)
    }

    fn verified(bytes: &'a [u8], tag: u64, highest: Lsn) -> Option<Self> {
        let mut fields = Fields(bytes);
        let (crc, len) = (fields.u32()?, fields.u32()?);
        let [kind, 0, 0, 0] = fields.array::<4>()? else { return None };
        let previous = fields.u32()?;
        let (lsn, group, _) = (fields.u64()?, fields.u64()?, fields.u64()?);
        let (term, index) = (fields.u64()?, fields.u64()?);
        if !(Self::HEAD..=Self::VOTE).contains(&kind) || lsn == 0 || lsn > highest || group > lsn {
            return None;
        }
        let end = FRAME + usize::try_from(len).ok()?;
        let size = end.next_multiple_of(8);
        let body = bytes.get(..size)?;
        if crc32fast::hash(&body[4..]) != crc || body[end..].iter().any(|byte| *byte != 0) {
            return None;
        }
        let chain = Chain { lsn, group, tag, previous };
        Some(Self { chain, crc, size, kind, term, index, payload: &body[FRAME..end] })
    }

    /// What it says; `None` when its fields have no meaning.
    pub(crate) fn change(&self) -> Option<Change> {
        let mut fields = Fields(self.payload);
        let position = Position { term: self.term, index: self.index };
        let change = match self.kind {
            Self::ENTRY => return Some(Change::Entry(position)),
            Self::HEAD => Change::Head(Head::read(&mut fields)?),
            Self::TRUNCATE => Change::Truncate { from: self.index, last: fields.optional(Fields::position)? },
            Self::PURGE => Change::Purge(position),
            Self::VOTE => Change::Vote(fields.vote()?),
            _ => return None,
        };
        fields.0.is_empty().then_some(change)
    }
}
