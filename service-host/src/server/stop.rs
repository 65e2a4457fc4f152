//! A stop in bounded time.
//!
//! ```text
//! serving ──shutdown──> draining ──all calls ended──> done
//!                          │
//!                          └──5 s──> severed ──connections' tasks end──> done
//! ```

use std::time::Duration;

use tokio_util::sync::CancellationToken;

/// How long calls in progress may go on after the stop signal. A unary call needs milliseconds; a stream that has
/// not ended by then belongs to a client who will resume it elsewhere.
pub const STOP_GRACE: Duration = Duration::from_secs(5);

/// After the connections were cut their tasks only have to be scheduled once. Bounded all the same: no promise
/// may hang on somebody's task.
const SEVERED_GRACE: Duration = Duration::from_secs(1);

/// Runs `serving` to its end, which `shutdown` brings about; [`STOP_GRACE`] after `shutdown` cuts the connections
/// through `sever`. `None` when even that did not end it.
pub(crate) async fn within_bounds<F: Future>(
    serving: F,
    shutdown: &CancellationToken,
    sever: &CancellationToken,
) -> Option<F::Output> {
    let mut serving = std::pin::pin!(serving);
    let overdue = async {
        shutdown.cancelled().await;
        tokio::time::sleep(STOP_GRACE).await;
    };
    tokio::select! {
        output = &mut serving => return Some(output),
        () = overdue => {}
    }
    tracing::info!(grace_s = STOP_GRACE.as_secs(), "calls are still open after the grace period, cutting connections");
    sever.cancel();
    tokio::time::timeout(SEVERED_GRACE, serving).await.ok()
}
