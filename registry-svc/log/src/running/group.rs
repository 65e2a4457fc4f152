//! Records that are written and synced together.

use super::queued::Queued;
use crate::Lsn;
use crate::format::{Chain, Change, encode};
use std::collections::VecDeque;

/// Bytes of a group at most, unless one record alone is larger: so much is
/// written in a few milliseconds, and those who came first do not wait long
/// for those who came last.
const MOST_BYTES: u64 = 4 << 20;

/// A group; never empty, all in one segment: the next segment is begun only
/// after the one before is synced.
pub(super) struct Group(Vec<Queued>);

impl Group {
    /// Takes the next group off the queue; `None` when that is empty.
    pub(super) fn next(queue: &mut VecDeque<Queued>) -> Option<Self> {
        let segment = queue.front()?.place.segment;
        let mut bytes = 0;
        let len = queue.iter().take_while(|queued| {
            bytes += u64::from(queued.place.size);
            queued.place.segment == segment && bytes <= MOST_BYTES
        });
        let len = len.count().max(1);
        Some(Self(queue.drain(..len).collect()))
    }

    pub(super) fn segment(&self) -> u64 {
        self.0[0].place.segment
    }

    pub(super) fn offset(&self) -> u64 {
        self.0[0].place.offset.into()
    }

    pub(super) fn records(&self) -> u64 {
        self.0.len() as u64
    }

    pub(super) fn last(&self) -> &Queued {
        &self.0[self.0.len() - 1]
    }

    /// Segments before this one are needed no more once the group is durable.
    pub(super) fn frees_before(&self) -> u64 {
        self.0.iter().map(|queued| queued.frees_before).max().unwrap_or(0)
    }

    /// Names of the kinds of records in it, for fail points.
    pub(super) fn kinds(&self) -> impl Iterator<Item = &'static str> {
        let has = |kind| self.0.iter().any(|queued| name(&queued.change) == kind);
        ["head", "append", "truncate", "purge", "vote"].into_iter().filter(move |kind| has(*kind))
    }

    /// The bytes for the segment with this tag, and the checksum that the next
    /// group continues with.
    pub(super) fn encode(&self, out: &mut Vec<u8>, tag: u64, mut crc: u32) -> u32 {
        out.clear();
        let group: Lsn = self.0[0].lsn;
        for queued in &self.0 {
            let chain = Chain { lsn: queued.lsn, group, tag, previous: crc };
            crc = encode(out, &chain, &queued.change, &queued.payload);
        }
        crc
    }
}

fn name(change: &Change) -> &'static str {
    match change {
        Change::Head(_) => "head",
        Change::Entry(_) => "append",
        Change::Truncate { .. } => "truncate",
        Change::Purge(_) => "purge",
        Change::Vote(_) => "vote",
    }
}
