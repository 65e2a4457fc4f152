//! What stands at the beginning of a segment.

use super::fields::{Fields, Put as _};
use crate::{Position, Vote};

/// Everything that has to be known when earlier segments are gone. Written as
/// the first record of a segment, and once when the log is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Head {
    /// How often the log was opened.
    pub(crate) boot: u64,
    /// The vote.
    pub(crate) vote: Option<Vote>,
    /// The purge position.
    pub(crate) purged: Option<Position>,
    /// The last entry (or purged position) before this record.
    pub(crate) last: Option<Position>,
}

impl Head {
    /// Bytes of its payload.
    pub(super) const BYTES: usize = 8 + 5 * 8 + 2 * 24;

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.put_u64(self.boot);
        out.put_optional_vote(self.vote);
        out.put_position(self.purged);
        out.put_position(self.last);
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        Some(Self {
            boot: fields.u64()?,
            vote: fields.optional(Fields::vote)?,
            purged: fields.optional(Fields::position)?,
            last: fields.optional(Fields::position)?,
        })
    }
}
