//! A disk that forgets what was not synced. Order of submission is order on
//! it; what waits is synced together; a crash keeps any number of records of
//! what waits, from the front.

mod content;
mod state;

pub(crate) use state::{History, Kept};

use crate::rig::{Dice, Oracle};
use registry_consensus::{Done, LogDisk};
use registry_log::{
    Durable, Entry, Extent, Fault, Figures, Limit, Lsn, Notice, Position, ReadError, Refused, Space, Vote, Write,
};
use state::{LARGEST, State, failed};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::sync::{Notify, mpsc};
use tokio::time::{Instant, sleep_until};

/// The disk of one life of a replica.
pub(crate) struct SimDisk {
    state: Mutex<State>,
    work: Notify,
    healed: Notify,
}

impl SimDisk {
    pub(crate) fn open(
        me: u64,
        kept: Kept,
        dice: Dice,
        oracle: Oracle,
    ) -> (Arc<Self>, mpsc::UnboundedReceiver<Notice>) {
        let (tell, notices) = mpsc::unbounded_channel();
        let Kept { content, committed, history } = kept;
        let state = State {
            me,
            oracle,
            dice,
            live: content.clone(),
            durable: content,
            history,
            queue: Default::default(),
            next: 1,
            synced: 0,
            committed,
            marked: committed,
            closed: None,
            tell,
            space: Space::Ample,
            capacity: u64::MAX,
            pace: (100, 1_500),
            stalled_until: None,
            fails: false,
        };
        let disk = Arc::new(Self { state: Mutex::new(state), work: Notify::new(), healed: Notify::new() });
        tokio::spawn(disk.clone().write());
        (disk, notices)
    }

    /// The writer: takes what waits, syncs it once, answers in order.
    async fn write(self: Arc<Self>) {
        loop {
            let Some((upto, until)) = self.begin() else {
                if self.is_closed() {
                    return;
                }
                self.work.notified().await;
                continue;
            };
            sleep_until(until).await;
            // A stall that began meanwhile holds this sync, too.
            while let Some(until) = self.stalled() {
                tokio::select! { biased; () = self.healed.notified() => {} () = sleep_until(until) => {} }
            }
            if std::mem::take(&mut self.lock().fails) {
                self.fail(&failed());
                return;
            }
            let answered = self.lock().synced(upto);
            for (lsn, done) in answered {
                done(Ok(lsn));
            }
            let mut state = self.lock();
            if state.dice.permille(300) {
                state.marked = state.committed;
            }
        }
    }

    fn begin(&self) -> Option<(Lsn, Instant)> {
        let state = self.lock();
        let upto = state.queue.back()?.lsn;
        let (least, most) = state.pace;
        Some((upto, Instant::now() + state.dice.micros(least, most)))
    }

    fn stalled(&self) -> Option<Instant> {
        self.lock().stalled_until.filter(|until| *until > Instant::now())
    }

    fn fail(&self, fault: &Fault) {
        let waiting = self.lock().close(fault);
        // Nobody hears it when the replica is gone.
        let _ = self.lock().tell.send(Notice::Failed(fault.clone()));
        for done in waiting {
            done(Err(fault.clone()));
        }
    }

    /// The process is gone. Of what was not synced, so many records are on the disk all the same.
    pub(crate) fn crash(&self, keeps: impl FnOnce(u64) -> u64, newest_mark: bool) -> Kept {
        let (kept, waiting) = {
            let mut state = self.lock();
            let records: Vec<_> = state.queue.iter().flat_map(|queued| queued.records.clone()).collect();
            let kept = if state.closed.is_some() { 0 } else { keeps(records.len() as u64) as usize };
            if kept < records.len() {
                state.oracle.count("unsynced records lost");
            }
            for record in records.iter().take(kept) {
                state.keep(record);
            }
            let waiting = state.close(&Fault::Closed);
            let committed = if newest_mark { state.committed } else { state.marked };
            (Kept { content: state.durable.clone(), committed, history: state.history.clone() }, waiting)
        };
        for done in waiting {
            done(Err(Fault::Closed));
        }
        self.work.notify_one();
        kept
    }

    pub(crate) fn copy(&self) -> Kept {
        let state = self.lock();
        Kept { content: state.durable.clone(), committed: state.committed, history: state.history.clone() }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.lock().closed.is_some()
    }

    pub(crate) fn stall(&self, time: Duration) {
        self.lock().stalled_until = Some(Instant::now() + time);
    }

    pub(crate) fn pace(&self, least: u64, most: u64) {
        self.lock().pace = (least, most);
    }

    /// The next sync fails, and with it the log.
    pub(crate) fn break_down(&self) {
        self.lock().fails = true;
    }

    /// Nothing is wrong with it any more.
    pub(crate) fn heal(&self) {
        {
            let mut state = self.lock();
            (state.fails, state.stalled_until) = (false, None);
        }
        self.healed.notify_waiters();
        self.pace(100, 1_500);
        self.leave_room(None);
    }

    /// From now on there is room for so many bytes more; none: for any number.
    pub(crate) fn leave_room(&self, bytes: Option<u64>) {
        let mut state = self.lock();
        state.capacity = bytes.map_or(u64::MAX, |bytes| state.live.bytes() + bytes);
        match bytes {
            Some(bytes) if bytes < LARGEST => state.set_space(Space::Low),
            Some(_) | None => state.look_for_room(),
        }
    }

    /// Bytes of the entries that it holds.
    pub(crate) fn bytes(&self) -> u64 {
        self.lock().live.bytes()
    }

    /// Looks at what was ever durable here, and what is purged.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&History, Option<Position>) -> T) -> T {
        let state = self.lock();
        look(&state.history, state.live.extent().purged)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

impl LogDisk for SimDisk {
    fn submit(&self, write: Write, done: Done) -> Result<Lsn, Refused> {
        let lsn = self.lock().submit(write, done)?;
        self.work.notify_one();
        Ok(lsn)
    }

    fn read(&self, range: Range<u64>, limit: Limit) -> Result<Vec<Entry>, ReadError> {
        self.lock().live.read(range, limit)
    }

    fn extent(&self) -> Extent {
        self.lock().live.extent()
    }

    fn term(&self, index: u64) -> Option<u64> {
        self.lock().live.term(index)
    }

    fn vote(&self) -> Option<Vote> {
        self.lock().live.vote
    }

    fn durable(&self) -> Durable {
        let state = self.lock();
        let oldest_waiting = state.queue.front().map(|queued| queued.since.elapsed());
        Durable { lsn: state.synced, last: state.durable.extent().last, oldest_waiting }
    }

    fn set_committed(&self, committed: Option<Position>) {
        self.lock().committed = committed;
    }

    fn committed(&self) -> Option<Position> {
        self.lock().committed
    }

    fn figures(&self) -> Figures {
        let state = self.lock();
        Figures { disk_bytes: state.live.bytes() + 2 * LARGEST, space: state.space, ..Figures::default() }
    }

    fn largest_append(&self) -> u64 {
        LARGEST
    }

    fn room(&self) -> u64 {
        self.lock().room()
    }
}
