//! What is done with files that were rotated away, and when: compressed one
//! after the other at the lowest priority, deleted when the rules say so. What
//! is to be done is seen from the folders alone, so that a new runner goes on
//! where the last one was.

use super::{compress, inventory, rules};
use crate::clock;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Between a file's rotation and the look at the folders: many at once are one
/// piece of work.
const SETTLING: Duration = Duration::from_millis(300);

/// Longest time between two looks: who deletes or adds files by hand, or sets
/// the clock, tells nobody.
const AT_LEAST: Duration = Duration::from_secs(3600);

/// Cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct Store(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    folders: Mutex<BTreeSet<PathBuf>>,
    quota: Option<u64>,
    wake: Notify,
}

impl Store {
    /// Looks after `log_dir` and whatever folders rotated files turn up in.
    /// `quota`: bytes of all of them. Has to be called within a runtime.
    pub(crate) fn start(log_dir: &Path, quota: Option<u64>, shutdown: CancellationToken) -> Self {
        let folders = Mutex::new(BTreeSet::from([log_dir.to_owned()]));
        let store = Self(Arc::new(Shared { folders, quota, wake: Notify::new() }));
        tokio::spawn(store.clone().run(shutdown));
        store
    }

    /// The keeper rotated a file away.
    pub(crate) fn rotated(&self, _instance: &str, path: &str) {
        if let Some(folder) = Path::new(path).parent() {
            let mut folders = self.0.folders.lock().unwrap_or_else(PoisonError::into_inner);
            if !folders.contains(folder) {
                folders.insert(folder.to_owned());
            }
        }
        self.0.wake.notify_one();
    }

    async fn run(self, shutdown: CancellationToken) {
        loop {
            let next = tokio::select! {
                next = self.sweep(shutdown.clone()) => next,
                () = shutdown.cancelled() => return,
            };
            tokio::select! {
                () = self.0.wake.notified() => tokio::time::sleep(SETTLING).await,
                () = tokio::time::sleep(next.min(AT_LEAST)) => {}
                () = shutdown.cancelled() => return,
            }
        }
    }

    /// Does what there is to do, on a thread of its own: its priority is its
    /// own, too. Returns the time until there is more.
    async fn sweep(&self, shutdown: CancellationToken) -> Duration {
        let folders = self.0.folders.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let quota = self.0.quota;
        let (done, next) = tokio::sync::oneshot::channel();
        let thread = std::thread::Builder::new().name("log-store".to_owned()).spawn(move || {
            // Of this thread alone (setpriority(2), "C library/kernel differences").
            let _ = rustix::process::setpriority_process(None, 19);
            let _ = done.send(sweep(&folders, quota, &shutdown));
        });
        match thread {
            Ok(_) => next.await.unwrap_or(AT_LEAST),
            Err(e) => {
                tracing::warn!(error = %e, "no thread for compressing log files; trying again later");
                AT_LEAST
            }
        }
    }
}

fn sweep(folders: &BTreeSet<PathBuf>, quota: Option<u64>, shutdown: &CancellationToken) -> Duration {
    let found = inventory::take(folders);
    for path in &found.unfinished {
        let _ = std::fs::remove_file(path);
    }
    let next = tidy(&found, quota);
    let mut compressed = false;
    for (plain, part) in &found.plain {
        if shutdown.is_cancelled() {
            return AT_LEAST;
        }
        match compress::compress(plain, *part) {
            Ok(()) => compressed = true,
            // Deleted in between, by us or the keeper.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {}
            Err(e) => {
                tracing::warn!(file = %plain.display(), error = %e, "cannot compress a log file; it stays as it is")
            }
        }
    }
    // Sizes are others now; with nothing compressed the look before still holds.
    if compressed { tidy(&inventory::take(folders), quota) } else { next }
}

/// Deletes what the rules say; returns the time until they say more.
fn tidy(found: &inventory::Inventory, quota: Option<u64>) -> Duration {
    let now = clock::wall().0;
    let verdict = rules::judge(&found.files, quota, now);
    for i in &verdict.gone {
        let (Some(file), Some(parts)) = (found.files.get(*i), found.parts.get(*i)) else { continue };
        // Its instance was started since it was looked at.
        if matches!(file.state, rules::State::Closed(_)) && inventory::closed(Path::new(&file.output)).is_none() {
            continue;
        }
        if let Err(e) = inventory::delete(parts) {
            tracing::warn!(log = %file.output, error = %e, "cannot delete an old log file");
        }
    }
    verdict.next.map_or(AT_LEAST, |next| Duration::from_nanos(u64::try_from(next.saturating_sub(now)).unwrap_or(0)))
}

#[cfg(test)]
#[path = "store_tests.rs"]
mod tests;
