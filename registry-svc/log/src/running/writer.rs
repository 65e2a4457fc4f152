//! The writer thread, the only one that writes to a segment in use: takes
//! what waits, writes it at once, syncs it once, answers in order. The first
//! failure is the last thing that it does.

use super::group::Group;
use super::shared::{MARK_DELAY, Shared};
use super::state::State;
use super::ticket::Ticket;
use crate::disk::SegmentFile;
use crate::{Fault, failpoint};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError};
use std::time::Instant;

/// The thread's own things.
pub(super) struct Writer {
    shared: Arc<Shared>,
    /// Checksum of the last record.
    crc: u32,
    buffer: Vec<u8>,
}

/// Memory for a group that is kept between groups.
const KEPT_BUFFER: usize = 1 << 20;

impl Writer {
    pub(super) fn new(shared: Arc<Shared>, crc: u32) -> Self {
        Self { shared, crc, buffer: Vec::new() }
    }

    /// Until the log is closed and everything is answered, or until a fault.
    pub(super) fn run(mut self) {
        let shared = self.shared.clone();
        loop {
            let idle = |state: &mut State| {
                let answerable = state.tickets.front().is_some_and(|ticket| ticket.lsn <= state.durable);
                state.queue.is_empty() && !answerable && !state.closing && state.fault.is_none()
            };
            let mut state = shared.work.wait_while(shared.lock(), idle).unwrap_or_else(PoisonError::into_inner);
            if state.fault.is_some() {
                return;
            }
            let group = Group::next(&mut state.queue);
            let file = group.as_ref().and_then(|group| state.files.get(&group.segment()).cloned());
            if group.is_none() {
                let answered = answerable(&mut state);
                let is_done = state.closing && answered.is_empty() && state.tickets.is_empty();
                state.writer_is_done = is_done;
                drop(state);
                answer(answered);
                if is_done {
                    shared.wake_all();
                    return;
                }
                continue;
            }
            drop(state);
            let (Some(group), Some(file)) = (group, file) else {
                // A place is only given in a listed segment, and one that is
                // needed is not freed.
                return shared.fail(Fault::Panicked);
            };
            match self.write(&group, &file) {
                Ok(()) => self.settle(&group),
                Err(source) => return shared.fail(Fault::io("write to", file.path(), source)),
            }
        }
    }

    /// Durable on return.
    fn write(&mut self, group: &Group, file: &SegmentFile) -> io::Result<()> {
        for kind in group.kinds() {
            failpoint::hit(&format!("{kind}.before"))?;
        }
        self.crc = group.encode(&mut self.buffer, file.tag(), self.crc);
        if failpoint::is_armed("group.torn") {
            file.write_at(&self.buffer[..self.buffer.len() / 2], group.offset())?;
            failpoint::hit("group.torn")?;
        }
        file.write_at(&self.buffer, group.offset())?;
        let began = Instant::now();
        let synced = failpoint::hit("sync.before")
            .and_then(|()| if failpoint::is_skipped("sync") { Ok(()) } else { file.sync() });
        self.shared.lock().figures.syncs.add(began.elapsed());
        synced?;
        for kind in group.kinds() {
            failpoint::hit(&format!("{kind}.after"))?;
        }
        Ok(())
    }

    /// The group is durable: says so to all who wait for it.
    fn settle(&mut self, group: &Group) {
        let mut state = self.shared.lock();
        if state.fault.is_some() {
            // The chores failed meanwhile, and everybody was told.
            return;
        }
        let last = group.last();
        state.durable = last.lsn;
        state.durable_end = (group.segment(), last.place.end());
        state.durable_last = last.last;
        state.frees_before = state.frees_before.max(group.frees_before());
        state.tail.shrink(last.lsn);
        state.figures.records += group.records();
        state.figures.bytes += self.buffer.len() as u64;
        let frees = group.frees_before() > 0;
        let owes = state.owe_mark(MARK_DELAY);
        let answered = answerable(&mut state);
        drop(state);
        self.buffer.shrink_to(KEPT_BUFFER);
        self.shared.done.notify_all();
        if owes || frees {
            self.shared.chores.notify_one();
        }
        answer(answered);
    }
}

fn answerable(state: &mut State) -> Vec<Ticket> {
    let durable = state.durable;
    std::iter::from_fn(|| state.tickets.pop_front_if(|ticket| ticket.lsn <= durable)).collect()
}

fn answer(tickets: Vec<Ticket>) {
    let mut left = Answers(tickets.into_iter());
    for ticket in left.0.by_ref() {
        (ticket.done)(Ok(ticket.lsn));
    }
}

/// Answers that are under way. When one of them panics, which ends the log,
/// the others are still told something, each once.
struct Answers(std::vec::IntoIter<Ticket>);

impl Drop for Answers {
    fn drop(&mut self) {
        for ticket in self.0.by_ref() {
            // Another panic would end the process in the middle of the first.
            let _ = catch_unwind(AssertUnwindSafe(|| (ticket.done)(Err(Fault::Panicked))));
        }
    }
}
