//! Says when the time has come for something that waits for it, while this
//! replica leads: the state knows when, see [`registry_domain::Order::Tick`].

use crate::clock::Clock;
use crate::driver::{Driver, OWN_ACTOR};
use crate::levels;
use crate::view::View;
use process_model::Timestamp;
use registry_consensus::Consensus;
use registry_domain::Order;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The wall clock may be set meanwhile; so it is looked at again after that
/// long at the latest.
const LONGEST: Duration = Duration::from_secs(60);
/// Wait after a command that was not taken: whoever leads next does it, or
/// this replica, once it can.
const AFTER_FAULT: Duration = Duration::from_secs(1);

/// Keeps the time until `stop`.
pub(crate) async fn keep(consensus: Consensus, view: Arc<View>, driver: Driver, clock: Clock, stop: CancellationToken) {
    let mut standing = consensus.standing();
    let mut applied = consensus.applied();
    loop {
        let leads = standing.borrow_and_update().leads();
        applied.mark_unchanged();
        let wait = next(&view).filter(|_| leads).map(|due| until(due, clock.now()));
        let ring = async {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
            changed = applied.changed(), if leads => if changed.is_err() { return },
            () = ring => {
                // Woken to look at a clock that was set, perhaps.
                if next(&view).is_some_and(|due| due <= clock.now())
                    && let Err(error) = driver.note(OWN_ACTOR, Order::Tick).await
                {
                    tracing::info!(%error, "what is due was not carried out");
                    tokio::time::sleep(AFTER_FAULT).await;
                }
            }
        }
    }
}

/// When there is something to do; never, while not every replica knows how.
fn next(view: &View) -> Option<Timestamp> {
    let due = view.read().state.next_due()?;
    levels::has(view, &Order::Tick).then_some(due)
}

fn until(due: Timestamp, now: Timestamp) -> Duration {
    let nanos = due.0.saturating_sub(now.0).max(0);
    Duration::from_nanos(nanos.unsigned_abs()).min(LONGEST)
}
