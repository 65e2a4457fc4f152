//! Which instance's task hears of which run.
//!
//! Between the greeting and the moment at which an instance of the journal
//! takes its run up, news of that run are kept for it: a program may end just
//! then.

use super::KeeperNews;
use crate::mailbox;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Cheap handle.
#[derive(Debug, Clone, Default)]
pub(super) struct Routes(Arc<Mutex<Table>>);

#[derive(Debug, Default)]
struct Table {
    inboxes: BTreeMap<u64, mailbox::Sender<KeeperNews>>,
    /// Runs that the keeper held when the runner began and that nobody has
    /// taken up or given up yet, with what happened to them since.
    unclaimed: BTreeMap<u64, Vec<KeeperNews>>,
}

impl Routes {
    /// Keeps news of these runs until they are taken up.
    pub(super) fn expect(&self, runs: impl Iterator<Item = u64>) {
        self.lock().unclaimed.extend(runs.map(|run| (run, Vec::new())));
    }

    fn lock(&self) -> MutexGuard<'_, Table> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on, news of `run` go to `inbox`.
    pub(super) fn claim(&self, run: u64, inbox: mailbox::Sender<KeeperNews>) {
        let mut table = self.lock();
        for news in table.unclaimed.remove(&run).unwrap_or_default() {
            let _ = inbox.send(news);
        }
        table.inboxes.insert(run, inbox);
    }

    /// Nobody wants to hear of `run` any more.
    pub(super) fn release(&self, run: u64) {
        let mut table = self.lock();
        table.inboxes.remove(&run);
        table.unclaimed.remove(&run);
    }

    /// Whether `run` is somebody's.
    pub(super) fn knows(&self, run: u64) -> bool {
        let table = self.lock();
        table.inboxes.contains_key(&run) || table.unclaimed.contains_key(&run)
    }

    /// Gives news of `run` to whom they belong; false when it is nobody's.
    pub(super) fn give(&self, run: u64, news: KeeperNews) -> bool {
        let mut table = self.lock();
        if let Some(inbox) = table.inboxes.get(&run) {
            return inbox.send(news).is_ok();
        }
        table.unclaimed.get_mut(&run).map(|early| early.push(news)).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use runner_domain::RunId;

    #[test]
    fn what_happens_before_a_run_is_taken_up_is_heard_afterwards() {
        let routes = Routes::default();
        routes.expect([7, 8].into_iter());
        let (inbox, mut news) = mailbox::mailbox();
        assert!(routes.give(7, KeeperNews::Lost(RunId(7))));
        assert!(!routes.give(9, KeeperNews::Lost(RunId(9))), "nobody's");
        routes.claim(7, inbox);
        assert!(matches!(news.try_recv(), Some(KeeperNews::Lost(RunId(7)))));
        routes.release(8);
        assert!(!routes.give(8, KeeperNews::Lost(RunId(8))), "given up");
    }
}
