//! Fixed fields, one after the other.

use crate::{Identity, Position, Vote};

/// Takes fields off the front; `None` when too little is left.
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl Fields<'_> {
    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*field)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_le_bytes)
    }

    /// A flag is 0 or 1; anything else is damage.
    pub(super) fn flag(&mut self) -> Option<bool> {
        match self.u64()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Option<T>) -> Option<Option<T>> {
        let is_there = self.flag()?;
        let value = read(self)?;
        Some(is_there.then_some(value))
    }

    pub(super) fn position(&mut self) -> Option<Position> {
        Some(Position { term: self.u64()?, index: self.u64()? })
    }

    pub(super) fn vote(&mut self) -> Option<Vote> {
        Some(Vote { term: self.u64()?, voted_for: self.optional(Self::u64)?, committed: self.flag()? })
    }

    pub(super) fn identity(&mut self) -> Option<Identity> {
        Some(Identity { cluster: self.array()?, replica: self.u64()?, epoch: self.u64()?, store: self.array()? })
    }
}

/// The reverse. Optional values take their room also when they are not there,
/// so that sizes are known before the values are.
pub(super) trait Put {
    fn put_u32(&mut self, value: u32);
    fn put_u64(&mut self, value: u64);
    fn put_position(&mut self, value: Option<Position>);
    fn put_vote(&mut self, value: &Vote);
    fn put_optional_vote(&mut self, value: Option<Vote>);
    fn put_identity(&mut self, value: &Identity);
}

impl Put for Vec<u8> {
    fn put_u32(&mut self, value: u32) {
        self.extend(value.to_le_bytes());
    }

    fn put_u64(&mut self, value: u64) {
        self.extend(value.to_le_bytes());
    }

    fn put_position(&mut self, value: Option<Position>) {
        let Position { term, index } = value.unwrap_or(Position { term: 0, index: 0 });
        self.put_u64(value.is_some().into());
        self.put_u64(term);
        self.put_u64(index);
    }

    fn put_vote(&mut self, value: &Vote) {
        self.put_u64(value.term);
        self.put_u64(value.voted_for.is_some().into());
        self.put_u64(value.voted_for.unwrap_or(0));
        self.put_u64(value.committed.into());
    }

    fn put_optional_vote(&mut self, value: Option<Vote>) {
        self.put_u64(value.is_some().into());
        self.put_vote(&value.unwrap_or(Vote { term: 0, voted_for: None, committed: false }));
    }

    fn put_identity(&mut self, value: &Identity) {
        self.extend(value.cluster);
        self.put_u64(value.replica);
        self.put_u64(value.epoch);
        self.extend(value.store);
    }
}
