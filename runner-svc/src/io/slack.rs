//! Gives memory back to the kernel that a burst has left free: what a thousand
//! starts needed for a moment lies between what their instances keep.
//!
//! Follows the journal's reports, of which every start, end and restart makes
//! some. While nothing happens, nothing is done.

use service_host::slack::{self, Slack};
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
    let mut slack = Slack::new(BURST, *newest.borrow_and_update());
    let follow = async {
        while newest.changed().await.is_ok() {
            tokio::time::sleep(SETTLING).await;
            if slack.is_worth_it(*newest.borrow_and_update()) {
                // Not on a worker: whoever allocates meanwhile waits for it.
                let _ = tokio::task::spawn_blocking(slack::give_back).await;
            }
        }
    };
    tokio::select! {
        () = follow => {}
        () = shutdown.cancelled() => {}
    }
}
