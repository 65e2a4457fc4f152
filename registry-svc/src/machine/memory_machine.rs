//! The machine: a state in memory, rows behind it, snapshots beside it.

use super::aside::{aside, step_back};
use super::numbers::MachineNumbers;
use super::opening::{self, Found, MachineOpenError, Places};
use super::pace::Pace;
use super::store::WriteBehind;
use super::{Volatile, dirty::Dirty, payload};
use crate::io::applied_record;
use crate::io::snapshot::{SnapshotError, SnapshotFiles};
use crate::view::View;
use futures::FutureExt;
use futures::future::BoxFuture;
use registry_consensus::{Answers, Applied, Committed, Machine, MachineFault, Snapshot, SnapshotMeta, SnapshotSink};
use service_host::causes::chain;
use std::sync::atomic::{AtomicBool, AtomicU16, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Wait before another try, when the disk was full: nothing tells that it no
/// longer is.
const AGAIN: Duration = Duration::from_secs(10);

/// The machine.
pub struct MemoryMachine {
    inner: Arc<Inner>,
}

struct Inner {
    view: Arc<View>,
    behind: WriteBehind,
    files: SnapshotFiles,
    /// The newest snapshot.
    newest: Mutex<Option<Snapshot>>,
    /// Locked while one is made or installed, which is a matter of seconds.
    making: Mutex<()>,
    /// Nothing is written any more.
    closed: AtomicBool,
    numbers: MachineNumbers,
    /// The highest level of commands that is applied here.
    level: AtomicU16,
    /// What a later version wrote, and ended this one.
    unknown: OnceLock<String>,
}

impl MemoryMachine {
    /// Opens what is there, or begins with nothing. Blocks.
    ///
    /// # Errors
    /// Rows and snapshots cannot be read, or a later version wrote them.
    pub fn open(places: &Places, pace: Pace, numbers: MachineNumbers) -> Result<Self, MachineOpenError> {
        let Found { replicated, store, stale, snapshots, newest } = opening::open(places)?;
        let view = Arc::new(View::new(replicated));
        let dirty = if stale { Dirty::Everything } else { Dirty::nothing_since(&view.read().state) };
        let behind =
            WriteBehind::start(view.clone(), store, dirty, numbers.clone(), pace).map_err(MachineOpenError::Thread)?;
        if stale {
            behind.noted();
        }
        let (newest, making) = (Mutex::new(newest), Mutex::new(()));
        Ok(Self {
            inner: Arc::new(Inner {
                view,
                behind,
                files: snapshots,
                newest,
                making,
                closed: AtomicBool::new(false),
                numbers,
                level: AtomicU16::new(payload::LEVEL),
                unknown: OnceLock::new(),
            }),
        })
    }

    /// What everybody reads.
    #[must_use]
    pub fn view(&self) -> &Arc<View> {
        &self.inner.view
    }

    /// Commands of a higher level are not known here, whatever this version is.
    pub fn knows_up_to(&self, level: u16) {
        self.inner.level.store(level, Ordering::Relaxed);
    }

    /// What it could not apply because a later version wrote it.
    #[must_use]
    pub fn met_unknown(&self) -> Option<&str> {
        self.inner.unknown.get().map(String::as_str)
    }

    /// Writes what waits and frees the files. Blocks. Nothing may be applied
    /// afterwards.
    pub fn close(&self) {
        self.inner.closed.store(true, Ordering::Relaxed);
        // One that is being made is made to its end.
        drop(self.inner.making());
        self.inner.behind.close();
    }
}

impl Inner {
    fn newest(&self) -> MutexGuard<'_, Option<Snapshot>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn making(&self) -> MutexGuard<'_, ()> {
        self.making.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// `None`: the disk has no room for it.
    fn take_snapshot(&self) -> Result<Option<Snapshot>, MachineFault> {
        let began = Instant::now();
        let _one_at_a_time = self.making();
        if self.closed.load(Ordering::Relaxed) {
            return Err(MachineFault::because("no snapshot is taken any more, the machine is closed"));
        }
        let (frozen, applied) = {
            let replicated = self.view.read();
            (replicated.state.freeze(), replicated.applied.clone())
        };
        step_back();
        let snapshot = match self.files.write(&applied, frozen.rows()) {
            Err(error) if error.is_for_want_of_room() => {
                tracing::error!(error = chain(&error), again = ?AGAIN, "no room for a snapshot, the log grows on");
                return Ok(None);
            }
            written => written.map_err(|error| MachineFault::new("cannot take a snapshot", error))?,
        };
        *self.newest() = Some(snapshot.clone());
        self.numbers.snapshot.observe(began.elapsed().as_secs_f64());
        tracing::debug!(id = snapshot.meta.id, bytes = snapshot.source.len(), took = ?began.elapsed(), "took a snapshot");
        Ok(Some(snapshot))
    }

    fn install_snapshot(&self, snapshot: &Snapshot) -> Result<(), MachineFault> {
        let _one_at_a_time = self.making();
        let failed = |error: SnapshotError| MachineFault::new("cannot install a snapshot", error);
        // The file is what makes it durable. The rows follow behind; a crash
        // before or while they are replaced is repaired from it.
        let (ours, state) = self.files.keep(snapshot).map_err(failed)?;
        let applied = applied_record::applied(&ours.meta);
        self.view.replace(state, applied, || *self.behind.dirty() = Dirty::Everything);
        self.behind.noted();
        *self.newest() = Some(ours);
        Ok(())
    }
}

impl Machine for MemoryMachine {
    fn apply(&self, entries: Vec<Committed>) -> Result<Vec<Answers>, MachineFault> {
        let began = Instant::now();
        let inner = &self.inner;
        let machine = Volatile::over(inner.view.clone());
        let known = inner.level.load(Ordering::Relaxed);
        let answers =
            machine.apply_up_to(known, entries, &inner.unknown, |touched| inner.behind.dirty().note(touched))?;
        inner.behind.noted();
        inner.numbers.apply.observe(began.elapsed().as_secs_f64());
        Ok(answers)
    }

    fn applied(&self) -> Applied {
        self.inner.view.read().applied.clone()
    }

    fn take_snapshot(&self) -> BoxFuture<'_, Result<Snapshot, MachineFault>> {
        let inner = self.inner.clone();
        async move {
            loop {
                let inner = inner.clone();
                if let Some(taken) = aside("taking a snapshot", move || inner.take_snapshot()).await? {
                    return Ok(taken);
                }
                tokio::time::sleep(AGAIN).await;
            }
        }
        .boxed()
    }

    fn newest_snapshot(&self) -> Result<Option<Snapshot>, MachineFault> {
        Ok(self.inner.newest().clone())
    }

    fn receive_snapshot(&self, meta: &SnapshotMeta, bytes: u64) -> Result<Box<dyn SnapshotSink>, MachineFault> {
        let failed = |error| MachineFault::new("cannot receive a snapshot", error);
        self.inner.files.receive(meta, bytes).map_err(failed)
    }

    fn install_snapshot(&self, snapshot: Snapshot) -> BoxFuture<'_, Result<(), MachineFault>> {
        let inner = self.inner.clone();
        blocking("installing a snapshot", move || inner.install_snapshot(&snapshot))
    }
}

/// Work on files, away from the runtime's threads.
fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, MachineFault> + Send + 'static,
) -> BoxFuture<'static, Result<T, MachineFault>> {
    async move {
        let done = tokio::task::spawn_blocking(work).await;
        done.unwrap_or_else(|error| Err(MachineFault::new(format!("{what} ended early"), error)))
    }
    .boxed()
}
