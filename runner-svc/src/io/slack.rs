//! Gives memory back to the kernel that a burst has left free: what a thousand
//! starts needed for a moment lies between what their instances keep.
//!
//! Follows the journal's reports, of which every start, end and restart makes
//! some. While nothing happens, nothing is done.

use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// From the first report to the look at how many have come: a burst is over by
/// then, or what is left of it gets a look of its own.
const SETTLING: Duration = Duration::from_secs(2);

/// Fewer reports leave nothing that the next ones would not use.
const BURST: u64 = 64;

/// Follows the numbers of reports until `shutdown`.
pub(crate) async fn run(mut newest: watch::Receiver<u64>, shutdown: CancellationToken) {
    let mut slack = Slack { since: *newest.borrow_and_update() };
    let follow = async {
        while newest.changed().await.is_ok() {
            tokio::time::sleep(SETTLING).await;
            if slack.is_worth_it(*newest.borrow_and_update()) {
                // Not on a worker: whoever allocates meanwhile waits for it.
                let _ = tokio::task::spawn_blocking(runner_keeper::give_back_memory).await;
            }
        }
    };
    tokio::select! {
        () = follow => {}
        () = shutdown.cancelled() => {}
    }
}

/// What may have been left free.
struct Slack {
    /// The newest report when it was given back last.
    since: u64,
}

impl Slack {
    /// Whether it is worth a walk over the heap; from then on it counts as given
    /// back.
    fn is_worth_it(&mut self, newest: u64) -> bool {
        let is_worth_it = newest.saturating_sub(self.since) >= BURST;
        if is_worth_it {
            self.since = newest;
        }
        is_worth_it
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_is_worth_it_once_and_a_few_reports_only_when_they_add_up() {
        let mut slack = Slack { since: 1_000 };
        let looks = [1_001, 1_063, 1_064, 1_065, 1_128, 4_000, 4_000];
        assert_eq!(looks.map(|newest| slack.is_worth_it(newest)), [false, false, true, false, true, true, false]);
    }
}
