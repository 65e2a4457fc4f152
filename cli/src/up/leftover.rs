//! A keeper whose runner has gone: it holds instances that nobody supervises.

use super::services::{chain, drain};
use super::session::line_of_notice;
use crate::error::Failure;
use crate::output::{Terminal, human};
use crate::signals::Signals;
use runner_svc::{NoticeKind, Options, Runner};
use service_host::secret::Secret;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Longest wait for a keeper that has said goodbye to be gone.
const FAREWELL: Duration = Duration::from_secs(5);

/// Whether a keeper serves this runner's state folder: it holds a lock there
/// as long as it lives. To be asked only by who keeps others from starting one.
#[must_use]
pub fn keeper_lives(runner_state: &Path) -> bool {
    File::open(lock_of(runner_state)).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

fn lock_of(runner_state: &Path) -> PathBuf {
    runner_state.join("keeper.lock")
}

/// Waits until the keeper's process is gone: the kernel lets go of its lock.
async fn gone(runner_state: &Path) {
    let Ok(file) = File::open(lock_of(runner_state)) else { return };
    let wait = tokio::task::spawn_blocking(move || file.lock());
    // One that does not go by then has been told to; nothing depends on it.
    let _ = tokio::time::timeout(FAREWELL, wait).await;
}

/// Stops everything that the keeper of this folder holds, and the keeper.
///
/// # Errors
/// The runner's folder cannot be used. False: not everything could be stopped.
pub async fn stop(runner_state: PathBuf, log_dir: PathBuf, terminal: &Terminal) -> Result<bool, Failure> {
    let node = "localhost".parse().map_err(|e| Failure::failed(format!("the node has no name: {e}")))?;
    let options = Options {
        state_dir: runner_state.clone(),
        log_dir,
        node,
        registry: None,
        monitor: None,
        token: Secret::generate(),
        sample_interval: Duration::from_secs(3600),
    };
    let mut signals = Signals::new()?;
    let runner = Runner::start(options)
        .await
        .map_err(|e| Failure::failed(format!("cannot take over what runs: {}", chain(&e))))?;
    let stopped = drain(runner, &mut signals, &mut |notice| {
        if matches!(notice.kind, NoticeKind::Lifecycle { .. }) {
            terminal.note(line_of_notice(notice).render(terminal.err, 12, human::now()));
        }
    })
    .await;
    if stopped {
        gone(&runner_state).await;
    }
    Ok(stopped)
}
