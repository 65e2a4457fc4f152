//! Whether this replica led at a moment, asked of a majority after it.
//!
//! A leader that was replaced need not know it yet: paused for a while, it finds
//! the heartbeats of a cut-off runner in its sockets. Were it to answer them at
//! once, the runner would take its lease for renewed while the successor
//! counts it as silent, and a singleton would run twice. So a heartbeat is
//! answered after a majority has confirmed this leader once more, which
//! happened after the heartbeat came: whoever leads next was elected later
//! than that, and counts from then.
//!
//! All heartbeats that come during a round share the next one.

use registry_consensus::Consensus;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

/// Between two rounds: a heartbeat is not urgent, and at thousands in a second
/// each round answers a hundred.
const GAP: Duration = Duration::from_millis(20);

/// Who asks, and what is known; clones share it.
#[derive(Clone)]
pub(crate) struct Assurance {
    asked: Arc<Asked>,
    confirmed: watch::Receiver<u64>,
}

#[derive(Default)]
struct Asked {
    tickets: AtomicU64,
    wake: Notify,
}

impl Assurance {
    /// With what is to run until `stop`.
    pub(crate) fn new(consensus: Consensus, stop: CancellationToken) -> (Self, impl Future<Output = ()> + Send) {
        let asked = Arc::new(Asked::default());
        let (sender, confirmed) = watch::channel(0);
        let asks = asked.clone();
        let rounds = async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = run(consensus, asks, sender) => {}
            }
        };
        (Self { asked, confirmed }, rounds)
    }

    /// A ticket for this moment.
    pub(crate) fn ask(&self) -> u64 {
        let ticket = self.asked.tickets.fetch_add(1, Ordering::SeqCst) + 1;
        self.asked.wake.notify_one();
        ticket
    }

    /// Up to which ticket it is known that this replica led after it was given out.
    pub(crate) fn confirmed(&self) -> watch::Receiver<u64> {
        self.confirmed.clone()
    }
}

async fn run(consensus: Consensus, asked: Arc<Asked>, confirmed: watch::Sender<u64>) {
    loop {
        asked.wake.notified().await;
        loop {
            // Read before the round begins: it is about what came before it.
            let upto = asked.tickets.load(Ordering::SeqCst);
            if upto <= *confirmed.borrow() {
                break;
            }
            // Without a quorum the sessions end soon, and their tickets with them.
            if consensus.read_barrier().await.is_ok() && consensus.is_leader() {
                confirmed.send_replace(upto);
            }
            tokio::time::sleep(GAP).await;
        }
    }
}
