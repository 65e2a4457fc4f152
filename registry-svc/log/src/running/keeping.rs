//! The chores themselves. Order is everything here: a segment is listed by a
//! durable mark before it is written to, and freed after a durable mark no
//! longer lists it.

use super::shared::Shared;
use crate::disk::{MarksFile, Reserve, SegmentFile, is_full, new_tag};
use crate::format::{Mark, SegmentHeader};
use crate::{Fault, Space, failpoint};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

/// Freed segments that are kept for use again; more go back to the disk.
const KEPT: usize = 2;
/// A mark may take a twentieth of the time at most.
const REST_FACTOR: u32 = 19;

/// Files that only the chores thread touches.
pub(super) struct Keeping {
    marks: MarksFile,
    /// The newest mark on the disk.
    mark: Mark,
    freed: Vec<PathBuf>,
    reserve: Reserve,
}

impl Keeping {
    pub(super) fn new(marks: MarksFile, mark: Mark, freed: Vec<PathBuf>, reserve: Reserve) -> Self {
        Self { marks, mark, freed, reserve }
    }

    pub(super) fn first(&self) -> u64 {
        self.mark.first
    }

    pub(super) fn has_freed(&self) -> bool {
        !self.freed.is_empty()
    }

    pub(super) fn has_reserve(&self) -> bool {
        self.reserve.is_there()
    }

    /// Whether the newest mark says less than could be said.
    pub(super) fn is_behind(&self, state: &super::state::State) -> bool {
        state.durable > self.mark.durable || state.committed != self.mark.committed
    }

    /// Writes down what is durable now, and frees what is needed no more.
    pub(super) fn mark(&mut self, shared: &Shared) -> Result<(), Fault> {
        let began = Instant::now();
        self.write_mark(shared, self.mark.last)?;
        shared.lock().mark_not_before = Instant::now() + began.elapsed() * REST_FACTOR;
        Ok(())
    }

    /// A mark that lists the segments up to `last`, and from the first one on
    /// that is still needed; those before are free then.
    fn write_mark(&mut self, shared: &Shared, last: u64) -> Result<(), Fault> {
        let mark = {
            let mut state = shared.lock();
            // What becomes durable from here on owes another mark.
            state.mark_due = None;
            Mark {
                sequence: self.mark.sequence + 1,
                first: self.mark.first.max(state.frees_before),
                last,
                durable: state.durable,
                end: state.durable_end,
                committed: state.committed,
                ..self.mark
            }
        };
        self.marks.write(&mark).map_err(|source| Fault::io("write to", self.marks.path(), source))?;
        let first = std::mem::replace(&mut self.mark, mark).first;
        shared.lock().figures.marks += 1;
        if first < mark.first {
            self.point("purge.listed")?;
            self.free(shared, first)?;
        }
        Ok(())
    }

    /// The segments from `first` on that the mark no longer lists.
    fn free(&mut self, shared: &Shared, first: u64) -> Result<(), Fault> {
        for number in first..self.mark.first {
            let Some(file) = shared.lock().files.remove(&number) else { continue };
            let path = shared.directory.segment(number);
            let fits = file.bytes() == shared.settings.segment_bytes && self.freed.len() < KEPT;
            // A reader still has it: then it goes on reading a file without a
            // name, instead of one that is written over.
            let is_read = Arc::strong_count(&file) > 1;
            if fits && !is_read {
                self.freed.push(path);
            } else {
                std::fs::remove_file(&path).map_err(|source| Fault::io("remove", path, source))?;
            }
        }
        Ok(())
    }

    /// Makes the next segment and lists it; `false` when there is no room.
    pub(super) fn make_segment(&mut self, shared: &Shared) -> Result<bool, Fault> {
        let header = SegmentHeader {
            identity: shared.identity,
            number: self.mark.last + 1,
            bytes: shared.settings.segment_bytes,
            tag: new_tag(),
        };
        let file = match self.segment_file(shared, &header) {
            Ok(Some(file)) => file,
            Ok(None) => return self.run_low(shared).map(|()| false),
            Err(source) if is_full(&source) => return self.run_low(shared).map(|()| false),
            Err(source) => return Err(Fault::io("make", shared.directory.segment(header.number), source)),
        };
        self.write_mark(shared, header.number)?;
        self.point("segment.listed")?;
        let mut state = shared.lock();
        state.files.insert(header.number, Arc::new(file));
        state.layout.add(header.number, header.bytes);
        state.no_space = false;
        shared.room.notify_all();
        let space = match state.space {
            // The reserve may not have been looked for yet.
            Space::Ample => Space::Ample,
            Space::Low | Space::Full if self.has_reserve() => Space::Ample,
            Space::Low | Space::Full => Space::Low,
        };
        shared.set_space(state, space);
        Ok(true)
    }

    /// From a freed segment, else from the disk, else `None`: nothing is
    /// tried when the room would only come out of what the reserve was given
    /// up for.
    fn segment_file(&mut self, shared: &Shared, header: &SegmentHeader) -> io::Result<Option<SegmentFile>> {
        if let Some(freed) = self.freed.pop() {
            let file = SegmentFile::recycle(&shared.directory, &freed, header)?;
            shared.lock().figures.segments_recycled += 1;
            return Ok(Some(file));
        }
        let reserve = if self.has_reserve() { 0 } else { self.reserve.bytes() };
        if free_bytes(shared)? < header.bytes + reserve {
            return Ok(None);
        }
        let file = SegmentFile::create(&shared.directory, header)?;
        shared.lock().figures.segments_made += 1;
        Ok(Some(file))
    }

    /// There is no room for the next segment: the reserve goes.
    fn run_low(&mut self, shared: &Shared) -> Result<(), Fault> {
        self.reserve.give_up().map_err(|source| Fault::io("remove", shared.directory.reserve(), source))?;
        let mut state = shared.lock();
        state.no_space = true;
        shared.room.notify_all();
        let space = if state.space == Space::Full { Space::Full } else { Space::Low };
        shared.set_space(state, space);
        Ok(())
    }

    /// Takes the reserve again; `false` when there is no room for it and the
    /// next segment.
    pub(super) fn take_reserve(&mut self, shared: &Shared) -> Result<bool, Fault> {
        let path = shared.directory.reserve();
        let taken = free_bytes(shared).and_then(|free| {
            let has_room = free >= self.reserve.bytes() + shared.settings.segment_bytes;
            if has_room { self.reserve.take().map(|()| true) } else { Ok(false) }
        });
        let taken = match taken {
            Err(source) if is_full(&source) => false,
            taken => taken.map_err(|source| Fault::io("make", path, source))?,
        };
        let state = shared.lock();
        let space = match (state.space, taken) {
            (_, true) if !state.no_space => Space::Ample,
            (Space::Full, _) => Space::Full,
            (Space::Ample | Space::Low, _) => Space::Low,
        };
        shared.set_space(state, space);
        Ok(taken)
    }

    fn point(&self, name: &str) -> Result<(), Fault> {
        failpoint::hit(name).map_err(|source| Fault::io("write to", self.marks.path(), source))
    }
}

/// What an unprivileged process may still take.
pub(crate) fn free_bytes(shared: &Shared) -> io::Result<u64> {
    let found = rustix::fs::statvfs(shared.directory.path())?;
    Ok(found.f_bavail.saturating_mul(found.f_frsize))
}
