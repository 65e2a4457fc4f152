//! How far the machine's snapshots reach. The library purges the log as soon
//! as it has asked the machine to install a snapshot; a process that ended in
//! between would have neither. So the log goes only as far as this.

use crate::Position;
use tokio::sync::watch;

/// How far the newest durable snapshot reaches; clones share it.
#[derive(Clone)]
pub(crate) struct Covered(watch::Sender<Reach>);

#[derive(Clone, Copy)]
struct Reach {
    upto: Option<u64>,
    failed: bool,
}

/// It will not reach further.
#[derive(Debug, thiserror::Error)]
#[error("the snapshot that the log up to index {0} was to be purged for could not be installed")]
pub(crate) struct NotCovered(u64);

impl Covered {
    pub(crate) fn new(upto: Option<u64>) -> Self {
        Self(watch::Sender::new(Reach { upto, failed: false }))
    }

    /// A snapshot up to here is durable.
    pub(super) fn reaches(&self, at: Option<Position>) {
        self.0.send_modify(|reach| reach.upto = reach.upto.max(at.map(|at| at.index)));
    }

    /// The machine failed.
    pub(super) fn fails(&self) {
        self.0.send_modify(|reach| reach.failed = true);
    }

    pub(super) fn has(&self, index: u64) -> bool {
        self.0.borrow().upto >= Some(index)
    }

    pub(super) async fn reached(&self, index: u64) -> Result<(), NotCovered> {
        let mut reach = self.0.subscribe();
        let reached = reach.wait_for(|reach| reach.failed || reach.upto >= Some(index)).await;
        // We hold the sender.
        reached.ok().filter(|reach| reach.upto >= Some(index)).map(drop).ok_or(NotCovered(index))
    }
}
