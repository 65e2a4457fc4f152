//! How the disk under the log fares, for whoever leads: enters what the log
//! tells and how long requests wait, leaves [`DiskHealth`] at each change.
//! While no request waits nothing runs.
//!
//! ```text
//! notice: space, failure ────────────────────────────────▶ at once
//! notice: a request waits ─▶ sleep until it has waited too long ─▶ Stalled
//! Stalled ─▶ a flush, answered after all that waits ─▶ look again ─▶ Well, or the next one
//! ```

use registry_consensus::LogDisk;
use registry_log::{Notice, Notify, Space, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify as Signal, watch};
use tokio::time::sleep;

/// How the disk fares. The worse one is told: a failed disk may be full too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DiskHealth {
    /// It writes and has room.
    #[default]
    Well,
    /// There is no room for the next segment or the reserve: see
    /// [`Space::Low`].
    Low,
    /// Appends are refused.
    Full,
    /// A request waits for this long already.
    Stalled(Duration),
    /// The log failed: end the process.
    Failed,
}

/// The watch over one log. Made before the log is opened, since the log's
/// settings need [`notify`](Self::notify).
#[derive(Debug, Clone)]
pub struct DiskWatch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// A request that waits for so long is a stall.
    limit: Duration,
    seen: Mutex<Seen>,
    health: watch::Sender<DiskHealth>,
    /// The watch rests and wants to hear when a request begins to wait.
    rests: AtomicBool,
    woken: Signal,
}

/// What is known.
#[derive(Debug, Default)]
struct Seen {
    space: Space,
    stalled: Option<Duration>,
    has_failed: bool,
}

impl Seen {
    fn health(&self) -> DiskHealth {
        match (self.has_failed, self.stalled, self.space) {
            (true, _, _) => DiskHealth::Failed,
            (false, Some(waited), _) => DiskHealth::Stalled(waited),
            (false, None, Space::Full) => DiskHealth::Full,
            (false, None, Space::Low) => DiskHealth::Low,
            (false, None, Space::Ample) => DiskHealth::Well,
        }
    }
}

impl DiskWatch {
    /// A request that waits for `limit` is a stall; at most an election
    /// timeout, or others stand before this leader resigns.
    #[must_use]
    pub fn new(limit: Duration) -> Self {
        let (rests, woken) = (AtomicBool::new(false), Signal::new());
        Self(Arc::new(Inner { limit, seen: Mutex::default(), health: watch::Sender::default(), rests, woken }))
    }

    /// For the log's settings.
    #[must_use]
    pub fn notify(&self) -> Notify {
        let watch = self.clone();
        Notify::new(move |notice| watch.take(&notice))
    }

    /// Takes up what the log tells.
    pub fn take(&self, notice: &Notice) {
        let inner = &self.0;
        match notice {
            Notice::Space(space) => inner.change(|seen| seen.space = *space),
            // Once for each rest, not for each request.
            Notice::Busy => {
                if inner.rests.swap(false, Ordering::SeqCst) {
                    inner.woken.notify_one();
                }
            }
            Notice::Failed(_) => {
                inner.change(|seen| seen.has_failed = true);
                inner.woken.notify_one();
            }
        }
    }

    /// How the disk fares, and each change of it.
    #[must_use]
    pub fn health(&self) -> watch::Receiver<DiskHealth> {
        self.0.health.subscribe()
    }

    /// Watches until the log fails; drop the future to end it before.
    pub async fn watch(&self, disk: Arc<dyn LogDisk>) {
        let inner = &self.0;
        while !inner.has_failed() {
            // First, so that no request can begin to wait unseen in between.
            inner.rests.store(true, Ordering::SeqCst);
            match disk.durable().oldest_waiting {
                None => inner.woken.notified().await,
                Some(waited) if waited < inner.limit => sleep(inner.limit - waited).await,
                Some(waited) => self.wait_out(&disk, waited).await,
            }
        }
    }

    /// Tells how long the disk stalls until all that waits now is answered.
    async fn wait_out(&self, disk: &Arc<dyn LogDisk>, mut waited: Duration) {
        let inner = &self.0;
        let over = Arc::new(Signal::new());
        let tell = over.clone();
        // It writes nothing, so it is refused only by a log that has failed.
        if disk.submit(Write::Flush, Box::new(move |_| tell.notify_one())).is_err() {
            return inner.woken.notified().await;
        }
        loop {
            inner.change(|seen| seen.stalled = Some(waited));
            tokio::select! {
                () = over.notified() => break,
                () = sleep(inner.limit) => waited = disk.durable().oldest_waiting.unwrap_or(waited),
            }
        }
        inner.change(|seen| seen.stalled = None);
    }
}

impl Inner {
    fn change(&self, change: impl FnOnce(&mut Seen)) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut seen);
        let health = seen.health();
        // Under the lock, so that changes are told in their order.
        self.health.send_if_modified(|last| std::mem::replace(last, health) != health);
    }

    fn has_failed(&self) -> bool {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).has_failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;
    use registry_log::{Entry, Floor, Identity, Log, Position, Settings};
    use std::sync::Barrier;
    use tempfile::TempDir;

    /// Longer than anything here takes.
    const LONG: Duration = Duration::from_secs(60);
    const LIMIT: Duration = Duration::from_millis(40);

    fn a_log(watch: &DiskWatch) -> (TempDir, Arc<Log>) {
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().join("log");
        let identity = Identity { cluster: [1; 16], replica: 1, epoch: 1, store: [2; 16] };
        let settings =
            Settings { segment_bytes: 64 << 10, reserve_bytes: 0, notify: Some(watch.notify()), ..Settings::default() };
        Log::create(&dir, &identity, &settings).unwrap();
        let log = Log::open(&dir, &identity, &settings, &Floor::default()).unwrap().0;
        (home, Arc::new(log))
    }

    fn append(index: u64) -> Write {
        Write::Append(vec![Entry { at: Position { term: 1, index }, payload: Bytes::from_static(b"x") }])
    }

    async fn until(health: &mut watch::Receiver<DiskHealth>, wanted: impl Fn(&DiskHealth) -> bool) -> DiskHealth {
        *tokio::time::timeout(LONG, health.wait_for(wanted)).await.unwrap().unwrap()
    }

    #[tokio::test]
    async fn a_request_that_waits_too_long_is_a_stall_until_it_is_answered() {
        let watch = DiskWatch::new(LIMIT);
        let (_home, log) = a_log(&watch);
        let mut health = watch.health();
        let (watching, disk) = (watch.clone(), log.clone());
        let task = tokio::spawn(async move { watching.watch(disk).await });
        for index in 0..2 {
            assert_eq!(*health.borrow(), DiskHealth::Well);
            // As long as an answer is held, nothing more is written.
            let held = Arc::new(Barrier::new(2));
            let met = held.clone();
            let (go_on, released) = std::sync::mpsc::channel::<()>();
            let hold = move |_| {
                met.wait();
                // Until the other end is dropped, be it by a panic.
                let _ = released.recv();
            };
            log.submit(Write::Flush, hold).unwrap();
            held.wait();
            log.submit(append(index), drop).unwrap();
            let stalled = until(&mut health, |health| matches!(health, DiskHealth::Stalled(_))).await;
            let longer = until(&mut health, |health| *health != stalled).await;
            drop(go_on);
            let (DiskHealth::Stalled(one), DiskHealth::Stalled(two)) = (stalled, longer) else {
                panic!("{stalled:?}, then {longer:?}")
            };
            assert!(LIMIT <= one && one < two, "{one:?}, then {two:?}");
            until(&mut health, |health| *health == DiskHealth::Well).await;
        }
        task.abort();
    }

    #[tokio::test]
    async fn requests_that_are_answered_in_time_are_no_stall_however_many_there_are() {
        let watch = DiskWatch::new(LONG);
        let (_home, log) = a_log(&watch);
        let (watching, disk, health) = (watch.clone(), log.clone(), watch.health());
        let task = tokio::spawn(async move { watching.watch(disk).await });
        for index in 0..200 {
            let lsn = log.submit(append(index), drop).unwrap();
            log.wait(lsn).unwrap();
            tokio::task::yield_now().await;
        }
        assert!(!health.has_changed().unwrap());
        task.abort();
    }

    #[tokio::test]
    async fn the_end_of_the_log_is_told_and_ends_the_watch() {
        let watch = DiskWatch::new(LIMIT);
        let (_home, log) = a_log(&watch);
        let mut health = watch.health();
        let (watching, disk) = (watch.clone(), log.clone());
        let task = tokio::spawn(async move { watching.watch(disk).await });
        log.submit(append(0), |_| panic!("a faulty callback of a test")).unwrap();
        until(&mut health, |health| *health == DiskHealth::Failed).await;
        tokio::time::timeout(LONG, task).await.unwrap().unwrap();
    }

    #[test]
    fn the_worse_is_told() {
        let waited = Some(Duration::from_secs(1));
        let mut seen = Seen { space: Space::Full, stalled: waited, has_failed: true };
        assert_eq!(seen.health(), DiskHealth::Failed);
        seen.has_failed = false;
        assert_eq!(seen.health(), DiskHealth::Stalled(Duration::from_secs(1)));
        seen.stalled = None;
        assert_eq!(seen.health(), DiskHealth::Full);
        seen.space = Space::Low;
        assert_eq!(seen.health(), DiskHealth::Low);
    }
}
