//! A client that writes in a loop, and the longest time between two of its
//! successes around something that happens to the leader.
//!
//! It has a connection to each replica. On a failure, or without an answer for
//! a while, the same request goes to the next one at once; only when all have
//! failed in a row it waits a moment.

use super::cluster::Cluster;
use super::door::Door;
use super::workload;
use anyhow::{Context as _, Result, ensure};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::AbortHandle;

/// Successes after which an outage is over for good.
const AFTER: usize = 50;
/// Longest outage that is waited for.
const LONGEST: Duration = Duration::from_secs(60);
/// After all replicas have failed in a row.
const PAUSE: Duration = Duration::from_millis(2);
/// Between two looks at the successes.
const LOOK: Duration = Duration::from_millis(20);

/// When requests succeeded, in order.
type Successes = Arc<Mutex<Vec<Instant>>>;

/// A client that writes until it is dropped.
pub(crate) struct Writer {
    successes: Successes,
    task: AbortHandle,
}

impl Writer {
    /// Begins to write, at the replica in place `first`. Returns once it has
    /// written a few times.
    pub(crate) async fn start(cluster: &Cluster, first: usize, attempt: Duration) -> Result<Self> {
        let successes = Successes::default();
        let task = tokio::spawn(write(cluster.doors()?, first, attempt, successes.clone())).abort_handle();
        let writer = Self { successes, task };
        writer.until(AFTER).await?;
        Ok(writer)
    }

    fn count(&self) -> usize {
        self.successes.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    async fn until(&self, count: usize) -> Result<()> {
        let began = Instant::now();
        while self.count() < count {
            ensure!(began.elapsed() < LONGEST, "no write succeeds any more");
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    /// Waits until writes succeed again; answers the longest time without a
    /// success since the last one before `moment`. Called once whatever began
    /// then is over on the servers' side, so that nothing of it is missed.
    pub(crate) async fn outage(&self, moment: Instant) -> Result<Duration> {
        self.until(self.count() + AFTER).await?;
        let successes = self.successes.lock().unwrap_or_else(PoisonError::into_inner);
        let before = successes.partition_point(|success| *success < moment);
        longest_gap(&successes, before).context("there is no success before it")
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// The longest gap that ends at one of the successes from `from` on.
fn longest_gap(successes: &[Instant], from: usize) -> Option<Duration> {
    successes.get(from.checked_sub(1)?..)?.windows(2).map(|pair| pair[1] - pair[0]).max()
}

async fn write(mut doors: Vec<Door>, first: usize, attempt: Duration, successes: Successes) {
    let (count, mut at) = (doors.len(), first);
    loop {
        let serial = workload::next_serial();
        let mut refused = 0;
        loop {
            let door = &mut doors[at % count];
            let answer = tokio::time::timeout(attempt, door.write(serial as usize % workload::KEYS, serial)).await;
            if matches!(answer, Ok(Ok(()))) {
                break;
            }
            at += 1;
            refused += 1;
            if refused % count == 0 {
                tokio::time::sleep(PAUSE).await;
            }
        }
        successes.lock().unwrap_or_else(PoisonError::into_inner).push(Instant::now());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gap_that_counts_begins_with_the_last_success_before() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        // A pause of 90 long before, then the event between 110 and 300.
        let successes = [at(0), at(90), at(100), at(110), at(300), at(310), at(350)];
        assert_eq!(longest_gap(&successes, 4), Some(Duration::from_millis(190)));
        assert_eq!(longest_gap(&successes, 6), Some(Duration::from_millis(40)));
        assert_eq!(longest_gap(&successes, 0), None);
    }
}
