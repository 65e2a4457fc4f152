//! All servers killed at once: how soon one of them answers again.

use super::cluster::Cluster;
use anyhow::{Result, ensure};
use std::time::{Duration, Instant};

/// Longest wait for a server that serves again.
const PATIENCE: Duration = Duration::from_secs(600);
/// Longest wait for one answer.
const ANSWER: Duration = Duration::from_secs(1);
/// Between two looks.
const PAUSE: Duration = Duration::from_millis(5);

/// SIGKILL to all; from their start to the first good answer of any. `answers`
/// asks the server at a place.
pub(crate) async fn after_kill(
    cluster: &mut Cluster,
    answers: impl AsyncFn(&Cluster, usize) -> Result<bool>,
) -> Result<Duration> {
    for index in 0..cluster.count() {
        cluster.replica(index)?.kill_9();
    }
    let began = Instant::now();
    for index in 0..cluster.count() {
        cluster.replica(index)?.start()?;
    }
    let mut index = 0;
    loop {
        if let Ok(answered) = tokio::time::timeout(ANSWER, answers(cluster, index)).await
            && answered?
        {
            return Ok(began.elapsed());
        }
        ensure!(began.elapsed() < PATIENCE, "no server serves again");
        index = (index + 1) % cluster.count();
        tokio::time::sleep(PAUSE).await;
    }
}
