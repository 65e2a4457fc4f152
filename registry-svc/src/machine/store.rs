//! The thread that writes rows behind the state: what changed since the last
//! time, two seconds ago or longer, goes to the store in one batch, with the
//! position, and is durable then.
//! What a crash loses of it, the log replays. An error is the end of the
//! process: going on would let rows and log drift apart, and sled hangs when
//! it is dropped on a full disk.
//!
//! sled takes some 20 µs for a row, and its own threads half as much again, which
//! is more than deciding does. So the thread rests 49 times as long as it wrote, a
//! minute at most: under full load the store falls further behind instead of taking processors
//! from the replicas, and a row that changes again meanwhile is written once.
//! With a rest of nine times sled had a quarter of what a registry needs for
//! writes.

use super::dirty::{Dirty, Fresh, in_order, rows_now};
use super::keys::Keys;
use super::numbers::MachineNumbers;
use super::pace::Pace;
use crate::io::failpoint;
use crate::io::state_store::{StateStore, StateStoreError};
use crate::view::View;
use registry_consensus::Applied;
use registry_domain::{Frozen, Row, RowKey};
use service_host::causes::chain;
use service_host::slack::{self, Slack};
use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// So many rows that were written leave something free that is worth giving back.
const BURST: u64 = 256;

/// Fewer rows than this are rebuilt from a snapshot in about a tenth of a second.
const FEW: u64 = 20_000;

/// Up to so many changed rows are looked up while the state is locked; of more
/// it is frozen first, which takes less time than looking them up.
const LOOKED_UP: usize = 4_096;

/// A handle to the thread.
pub(super) struct WriteBehind {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

struct Shared {
    view: Arc<View>,
    store: StateStore,
    numbers: MachineNumbers,
    pace: Pace,
    /// Changed only while the state is locked, so that rows and position that
    /// are taken under its lock belong together.
    dirty: Mutex<Dirty>,
    wishes: Mutex<Wishes>,
    changed: Condvar,
}

#[derive(Default)]
struct Wishes {
    /// Since when something waits.
    since: Option<Instant>,
    /// Enough waits.
    enough: bool,
    /// Not before, unless somebody asks.
    rest_until: Option<Instant>,
    /// How often somebody asked for everything to be durable, and up to which
    /// of them it is.
    asked: u64,
    done: u64,
    stop: bool,
}

impl Wishes {
    /// How long until something is to be written; `None`: nothing waits.
    fn left(&self, every: Duration) -> Option<Duration> {
        let wait = if self.enough { Duration::ZERO } else { every.saturating_sub(self.since?.elapsed()) };
        let rest = self.rest_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()));
        Some(wait.max(rest))
    }
}

/// What is written in one go.
enum Work {
    Rows(Vec<(RowKey, Option<Row>)>, Applied),
    Frozen(Keys, Fresh, Frozen, Applied),
    Everything(Frozen, Applied),
}

impl WriteBehind {
    /// Starts the thread over a store that holds what the view shows, but for what is dirty.
    pub(super) fn start(
        view: Arc<View>,
        store: StateStore,
        dirty: Dirty,
        numbers: MachineNumbers,
        pace: Pace,
    ) -> io::Result<Self> {
        let wishes = Wishes { rest_until: Some(Instant::now() + pace.first_rest), ..Wishes::default() };
        let (dirty, wishes, changed) = (Mutex::new(dirty), Mutex::new(wishes), Condvar::new());
        let shared = Arc::new(Shared { view, store, numbers, pace, dirty, wishes, changed });
        let running = shared.clone();
        let run = move || {
            // sled panics at some damage.
            if std::panic::catch_unwind(AssertUnwindSafe(|| running.run())).is_err() {
                service_host::fatal::abort_on("the thread that writes the state's rows panicked");
            }
        };
        let thread = std::thread::Builder::new().name("state-writer".to_owned()).spawn(run)?;
        Ok(Self { shared, thread: Mutex::new(Some(thread)) })
    }

    /// What is dirty. To be called with the state locked.
    pub(super) fn dirty(&self) -> MutexGuard<'_, Dirty> {
        lock(&self.shared.dirty)
    }

    /// Something became dirty. To be called once the state is free again.
    pub(super) fn noted(&self) {
        let rows = self.dirty().len();
        self.shared.numbers.dirty.set(i64::try_from(rows).unwrap_or(i64::MAX));
        let mut wishes = lock(&self.shared.wishes);
        let first = wishes.since.is_none();
        let enough = rows >= self.shared.pace.rows && !wishes.enough;
        wishes.enough |= enough;
        if first {
            wishes.since = Some(Instant::now());
        }
        if first || enough {
            self.shared.changed.notify_all();
        }
    }

    /// Waits until everything that is applied now is durable in the store.
    /// Blocks. `false`: the machine is closed.
    pub(super) fn flush(&self) -> bool {
        let mut wishes = lock(&self.shared.wishes);
        wishes.asked += 1;
        let number = wishes.asked;
        self.shared.changed.notify_all();
        while wishes.done < number {
            if wishes.stop {
                return false;
            }
            wishes = self.shared.changed.wait(wishes).unwrap_or_else(PoisonError::into_inner);
        }
        true
    }

    /// Writes what waits, makes it durable and closes the store. Blocks.
    pub(super) fn close(&self) {
        let Some(thread) = lock(&self.thread).take() else { return };
        self.flush();
        lock(&self.shared.wishes).stop = true;
        self.shared.changed.notify_all();
        // It has caught its own panics.
        let _ = thread.join();
        self.shared.store.close();
    }
}

/// Without [`WriteBehind::close`] what waits is left to the log, as after a
/// crash.
impl Drop for WriteBehind {
    fn drop(&mut self) {
        lock(&self.shared.wishes).stop = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn run(&self) {
        // A start leaves as much behind as a burst.
        let (mut written, mut slack) = (BURST, Slack::new(BURST, 0));
        while let Some(asked) = self.next() {
            let began = Instant::now();
            match self.write() {
                Ok(rows) => written += rows,
                Err(error) => service_host::fatal::abort_on(chain(&error)),
            }
            let mut wishes = lock(&self.wishes);
            wishes.rest_until = Some(Instant::now() + self.pace.rest_after(began.elapsed()));
            if let Some(asked) = asked {
                wishes.done = asked;
                self.changed.notify_all();
            }
            drop(wishes);
            // What comes next would use it, when there is something.
            if lock(&self.dirty).is_clean() && slack.is_worth_it(written) {
                slack::give_back();
            }
        }
    }

    /// Waits until there is something to do; the number of the last wish for
    /// durability, if there is one. `None`: it is over.
    fn next(&self) -> Option<Option<u64>> {
        let mut wishes = lock(&self.wishes);
        loop {
            if wishes.stop {
                return None;
            }
            let asked = (wishes.asked > wishes.done).then_some(wishes.asked);
            let left = wishes.left(self.pace.every);
            if asked.is_some() || left == Some(Duration::ZERO) {
                // What comes from here on begins to wait anew.
                (wishes.since, wishes.enough) = (None, false);
                return Some(asked);
            }
            wishes = match left {
                Some(left) => self.changed.wait_timeout(wishes, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.changed.wait(wishes).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }

    /// Writes what waits; how many rows that were.
    fn write(&self) -> Result<u64, StateStoreError> {
        let Some(work) = self.take() else { return Ok(0) };
        let at_once = if self.store.rows() < FEW { self.pace.at_once_of_few } else { self.pace.at_once };
        failpoint::reached("rows_taken");
        let written = match work {
            Work::Rows(rows, applied) => self.store.apply(in_order(rows), &applied, at_once)?,
            Work::Frozen(keys, fresh, frozen, applied) => {
                let rows = rows_now(frozen.rows_above(fresh.above), keys, |key| frozen.row(key));
                self.store.apply(in_order(rows), &applied, at_once)?
            }
            Work::Everything(frozen, applied) => self.store.replace(frozen.rows(), &applied)?,
        };
        failpoint::reached("rows_written");
        self.store.flush()?;
        Ok(written)
    }

    /// Takes what is dirty, with the position that it belongs to.
    fn take(&self) -> Option<Work> {
        let replicated = self.view.read();
        if self.view.is_half_changed() {
            service_host::fatal::abort_on("a command panicked while it changed the state");
        }
        let dirty = std::mem::replace(&mut *lock(&self.dirty), Dirty::nothing_since(&replicated.state));
        self.numbers.dirty.set(0);
        if dirty.is_clean() {
            return None;
        }
        let applied = replicated.applied.clone();
        let many = dirty.len() > LOOKED_UP;
        Some(match dirty {
            Dirty::Everything => Work::Everything(replicated.state.freeze(), applied),
            Dirty::Rows { keys, fresh, .. } if many => Work::Frozen(keys, fresh, replicated.state.freeze(), applied),
            Dirty::Rows { keys, fresh, .. } => Work::Rows(
                rows_now(replicated.state.rows_above(fresh.above), keys, |key| replicated.state.row(key)),
                applied,
            ),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
