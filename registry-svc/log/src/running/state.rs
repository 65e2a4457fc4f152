//! What the log is at this moment: enters a request, leaves records with
//! their places in the queue, or a refusal. No input or output.

use super::queued::Queued;
use super::ticket::{Done, Ticket};
use crate::content::{Contents, Layout, Place, Tail};
use crate::disk::SegmentFile;
use crate::format::{Change, size_of_change, size_of_entry};
use crate::{Entry, Fault, Figures, Lsn, Position, Refused, Space, Write};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Instant;

/// Guarded by the lock of [`Shared`](super::Shared).
pub(crate) struct State {
    pub(super) contents: Contents,
    pub(super) tail: Tail,
    pub(super) layout: Layout,
    /// Open segments: all that a mark lists.
    pub(super) files: BTreeMap<u64, Arc<SegmentFile>>,
    pub(super) next: Lsn,
    pub(super) queue: VecDeque<Queued>,
    pub(super) tickets: VecDeque<Ticket>,

    /// Everything up to here is durable; where that ends.
    pub(super) durable: Lsn,
    pub(super) durable_end: (u64, u64),
    pub(super) durable_last: Option<Position>,
    pub(super) committed: Option<Position>,

    /// Segments before this one are needed no more.
    pub(super) frees_before: u64,
    /// When the next mark is due, if one is.
    pub(super) mark_due: Option<Instant>,
    /// Not before then, so that marks take a small part of the disk's time.
    pub(super) mark_not_before: Instant,
    /// The next segment could not be made for want of room.
    pub(super) no_space: bool,
    pub(super) space: Space,

    pub(super) fault: Option<Fault>,
    pub(super) closing: bool,
    pub(super) writer_is_done: bool,
    pub(super) figures: Figures,
}

/// What a request comes to.
pub(super) enum Judged {
    /// Entries of these sizes on the disk.
    Entries(Vec<u64>),
    /// Another change.
    Change(Change),
    /// Nothing has to be written.
    Nothing,
}

impl State {
    /// Whether the request may be; changes nothing.
    pub(super) fn judge(&self, write: &Write, segment_bytes: u64) -> Result<Judged, Refused> {
        let change = match write {
            Write::Append(entries) => {
                self.contents.follows(entries)?;
                let sizes: Vec<u64> = entries.iter().map(|entry| size_of_entry(entry.payload.len())).collect();
                let (bytes, most) = (sizes.iter().sum(), Layout::largest(segment_bytes));
                if bytes > most {
                    return Err(Refused::TooLarge { bytes, most });
                }
                return Ok(if sizes.is_empty() { Judged::Nothing } else { Judged::Entries(sizes) });
            }
            Write::Truncate { from } => self.contents.truncation(*from)?,
            Write::Purge { upto } => self.contents.purging(*upto),
            Write::Vote(vote) => Some(Change::Vote(*vote)),
            Write::Flush => None,
        };
        Ok(change.map_or(Judged::Nothing, Judged::Change))
    }

    /// Whether what was judged fits on the disk.
    pub(super) fn has_room(&self, judged: &Judged) -> bool {
        match judged {
            Judged::Entries(sizes) => self.layout.has_room(sizes.iter().copied(), true),
            Judged::Change(change) => self.layout.has_room([size_of_change(change)], false),
            Judged::Nothing => true,
        }
    }

    /// Carries out what was judged and has room. From here on it is visible
    /// to readers.
    pub(super) fn accept(&mut self, judged: &Judged, entries: Vec<Entry>, done: Done) -> Lsn {
        match judged {
            Judged::Entries(_) => {
                for entry in entries {
                    self.push(Change::Entry(entry.at), entry.payload.clone());
                    self.tail.push(self.next - 1, entry);
                }
            }
            Judged::Change(change) => {
                match change {
                    Change::Truncate { from, .. } => self.tail.truncate(*from),
                    Change::Purge(upto) => self.tail.purge(upto.index + 1),
                    Change::Head(_) | Change::Entry(_) | Change::Vote(_) => {}
                }
                self.push(*change, Bytes::new());
            }
            Judged::Nothing => {}
        }
        self.figures.requests += 1;
        let lsn = self.next - 1;
        self.tickets.push_back(Ticket { lsn, since: Instant::now(), done });
        lsn
    }

    /// Places a record, in the next segment if it has to be.
    fn push(&mut self, change: Change, payload: Bytes) {
        let size = match change {
            Change::Entry(_) => size_of_entry(payload.len()),
            Change::Head(_) | Change::Truncate { .. } | Change::Purge(_) | Change::Vote(_) => size_of_change(&change),
        };
        if !self.layout.fits(size) {
            let rolled = self.layout.roll();
            debug_assert!(rolled, "there was room");
            let head = Change::Head(self.contents.head());
            let place = self.layout.take(size_of_change(&head));
            self.enqueue(head, Bytes::new(), place);
        }
        let place = self.layout.take(size);
        self.enqueue(change, payload, place);
    }

    fn enqueue(&mut self, change: Change, payload: Bytes, place: Place) {
        let applied = self.contents.apply(&change, place);
        debug_assert!(applied, "it was judged: {change:?}");
        let frees_before = match change {
            Change::Truncate { .. } | Change::Purge(_) => self.contents.oldest_segment().unwrap_or(place.segment),
            Change::Head(_) | Change::Entry(_) | Change::Vote(_) => 0,
        };
        let (lsn, last) = (self.next, self.contents.last());
        self.next += 1;
        self.queue.push_back(Queued { lsn, place, change, payload, last, frees_before });
    }

    /// A mark is due soon; `true` when none was due yet, so that the chores
    /// thread has to hear of it.
    pub(super) fn owe_mark(&mut self, delay: std::time::Duration) -> bool {
        let is_new = self.mark_due.is_none();
        if is_new {
            self.mark_due = Some((Instant::now() + delay).max(self.mark_not_before));
        }
        is_new
    }
}
