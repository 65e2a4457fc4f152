//! What all watchers of a replica need: somebody who wakes them, and an end
//! when the replica no longer hears of anything, for a watcher would take its
//! silence for rest.

use crate::view::View;
use registry_consensus::Consensus;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

/// Between two looks at whether the others are there, while somebody watches.
/// There is no event for silence. A look that fails has taken two seconds, and
/// two have to fail: long beside an election.
const LOOK: Duration = Duration::from_secs(5);

/// How often the replica was cut off.
#[derive(Debug, Clone)]
pub(crate) struct Isolation(watch::Receiver<u64>);

impl Isolation {
    /// Known to whoever holds the sender.
    pub(crate) fn new() -> (watch::Sender<u64>, Self) {
        let (sender, receiver) = watch::channel(0);
        (sender, Self(receiver))
    }

    /// For a watcher that begins: what was before does not concern it.
    pub(super) fn anew(&self) -> Self {
        let mut receiver = self.0.clone();
        receiver.mark_unchanged();
        Self(receiver)
    }

    /// Waits until the replica is cut off.
    pub(super) async fn began(&mut self) {
        if self.0.changed().await.is_err() {
            // Nobody looks any more: the registry is closing, which a watcher hears of itself.
            std::future::pending::<()>().await;
        }
    }
}

/// Tends the watchers until `stop`.
pub(crate) async fn tend(view: Arc<View>, consensus: Consensus, isolated: watch::Sender<u64>, stop: CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        never = view.feed().route() => match never {},
        never = look(&view, &consensus, &isolated) => match never {},
    }
}

async fn look(view: &View, consensus: &Consensus, isolated: &watch::Sender<u64>) -> std::convert::Infallible {
    let mut silent = false;
    loop {
        tokio::time::sleep(LOOK).await;
        if view.feed().listeners() == 0 || consensus.read_barrier().await.is_ok() {
            silent = false;
            continue;
        }
        if silent {
            tracing::warn!(
                watchers = view.feed().listeners(),
                "cut off from the other replicas; watchers are sent away"
            );
            isolated.send_modify(|times| *times += 1);
        }
        silent = !silent;
    }
}
