//! The state with its lock. Whoever waits, waits on one of four conditions.

use super::state::{Judged, State};
use super::ticket::Done;
use crate::disk::Directory;
use crate::{Durable, Fault, Figures, Identity, Lsn, Notice, Position, Refused, Settings, Space, Write};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A mark follows what it counts after this time: long enough to count much
/// at once, short enough that little is not counted.
pub(super) const MARK_DELAY: Duration = Duration::from_millis(50);

/// What the handle and the threads share.
pub(crate) struct Shared {
    state: Mutex<State>,
    /// The writer waits: for records, for requests to answer, for the end.
    pub(super) work: Condvar,
    /// Callers of `wait` wait: for durability or a fault.
    pub(super) done: Condvar,
    /// Submitters wait: for the segment that is being made.
    pub(super) room: Condvar,
    /// The chores thread waits: for anything to do.
    pub(super) chores: Condvar,
    pub(crate) directory: Directory,
    pub(crate) identity: Identity,
    pub(crate) settings: Settings,
}

impl Shared {
    pub(super) fn new(state: State, directory: Directory, identity: Identity, settings: Settings) -> Self {
        let (work, done, room, chores) = Default::default();
        Self { state: Mutex::new(state), work, done, room, chores, directory, identity, settings }
    }

    /// A panic elsewhere is told as a fault; the state itself is sound.
    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Accepts a request or says why not.
    pub(crate) fn submit(&self, write: Write, done: Done) -> Result<Lsn, Refused> {
        let judge = |state: &State| state.judge(&write, self.settings.segment_bytes);
        let (mut state, judged) = self.admit(judge)?;
        let entries = if let Write::Append(entries) = write { entries } else { Vec::new() };
        let was_idle = state.tickets.is_empty();
        let lsn = state.accept(&judged, entries, done);
        let wants_segment = !state.layout.has_ready();
        drop(state);
        self.work.notify_one();
        if wants_segment {
            self.chores.notify_one();
        }
        if was_idle {
            self.tell(Notice::Busy);
        }
        Ok(lsn)
    }

    /// As [`submit`](Self::submit), for a record of the log's own.
    pub(super) fn submit_judged(&self, judged: Judged, done: Done) -> Result<Lsn, Refused> {
        let judged = std::cell::Cell::new(Some(judged));
        let take = |_: &State| Ok(judged.take().unwrap_or(Judged::Nothing));
        let (mut state, judged) = self.admit(take)?;
        let lsn = state.accept(&judged, Vec::new(), done);
        drop(state);
        self.work.notify_one();
        Ok(lsn)
    }

    /// Waits while the segment that is needed is being made; that is the only
    /// wait, and it ends with the segment or with the news that there is no
    /// room for it.
    fn admit(
        &self,
        judge: impl Fn(&State) -> Result<Judged, Refused>,
    ) -> Result<(MutexGuard<'_, State>, Judged), Refused> {
        let mut state = self.lock();
        loop {
            if let Some(fault) = &state.fault {
                return Err(Refused::Failed(fault.clone()));
            }
            if state.closing {
                return Err(Refused::Failed(Fault::Closed));
            }
            let judged = judge(&state)?;
            if state.has_room(&judged) {
                return Ok((state, judged));
            }
            if state.no_space {
                state.figures.refused_full += 1;
                self.set_space(state, Space::Full);
                return Err(Refused::DiskFull);
            }
            self.chores.notify_one();
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    pub(super) fn set_space(&self, mut state: MutexGuard<'_, State>, space: Space) {
        let is_news = std::mem::replace(&mut state.space, space) != space;
        drop(state);
        if is_news {
            self.tell(Notice::Space(space));
        }
    }

    fn tell(&self, notice: Notice) {
        if let Some(notify) = &self.settings.notify {
            notify.tell(notice);
        }
    }

    /// The end: the first fault counts, everything that waits gets it.
    pub(super) fn fail(&self, fault: Fault) {
        let mut state = self.lock();
        if state.fault.is_some() {
            return;
        }
        state.fault = Some(fault.clone());
        state.queue.clear();
        let tickets = std::mem::take(&mut state.tickets);
        drop(state);
        self.wake_all();
        for ticket in tickets {
            (ticket.done)(Err(fault.clone()));
        }
        self.tell(Notice::Failed(fault));
    }

    pub(super) fn wake_all(&self) {
        for condition in [&self.work, &self.done, &self.room, &self.chores] {
            condition.notify_all();
        }
    }

    /// Waits until a record is durable.
    pub(crate) fn wait(&self, lsn: Lsn) -> Result<(), Fault> {
        let waiting = |state: &mut State| state.durable < lsn && state.fault.is_none() && !state.writer_is_done;
        let state = self.done.wait_while(self.lock(), waiting).unwrap_or_else(PoisonError::into_inner);
        match &state.fault {
            _ if state.durable >= lsn => Ok(()),
            Some(fault) => Err(fault.clone()),
            None => Err(Fault::Closed),
        }
    }

    pub(crate) fn set_committed(&self, committed: Option<Position>) {
        let mut state = self.lock();
        if std::mem::replace(&mut state.committed, committed) != committed && state.owe_mark(MARK_DELAY) {
            self.chores.notify_one();
        }
    }

    pub(crate) fn durable(&self) -> Durable {
        let state = self.lock();
        let oldest_waiting = state.tickets.front().map(|ticket| ticket.since.elapsed());
        Durable { lsn: state.durable, last: state.durable_last, oldest_waiting }
    }

    pub(crate) fn figures(&self) -> Figures {
        let state = self.lock();
        Figures {
            segments: state.files.len() as u64,
            disk_bytes: state.files.values().map(|file| file.bytes()).sum(),
            space: state.space,
            ..state.figures
        }
    }

    pub(crate) fn with_contents<T>(&self, look: impl FnOnce(&crate::content::Contents) -> T) -> T {
        look(&self.lock().contents)
    }

    pub(crate) fn committed(&self) -> Option<Position> {
        self.lock().committed
    }

    pub(crate) fn fault(&self) -> Option<Fault> {
        self.lock().fault.clone()
    }

    /// No more requests; the threads end when what was accepted is done.
    pub(crate) fn begin_closing(&self) {
        self.lock().closing = true;
        self.wake_all();
    }
}
