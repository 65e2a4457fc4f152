//! What measures with thousands of simulated runners share.

use anyhow::{Context as _, Result, anyhow};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::time::{Duration, Instant};
use system_tests::{Counts, Crowd};

/// Longest wait for what a crowd is to see; far above what is measured.
const PATIENCE: Duration = Duration::from_secs(600);

/// Waits until it holds of what a crowd has seen; returns when that was.
pub(crate) async fn until(crowd: &Crowd, what: &str, holds: impl FnMut(&Counts) -> bool) -> Result<Instant> {
    let waited = crowd.until(PATIENCE, holds).await;
    waited.map_err(|seen| anyhow!("not within {PATIENCE:?}: {what}; seen instead: {seen:?}"))
}

/// A thousand simulated runners are as many sockets here.
pub(crate) fn raise_open_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })
        .context("cannot raise the limit of open files")
}
