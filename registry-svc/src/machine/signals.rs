//! Who has to be told: a signal for each node that somebody listens for, so
//! that a change of one node's orders wakes one session and not a thousand.

use process_model::NodeName;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::watch;

/// The signals of all nodes.
#[derive(Debug, Default)]
pub(crate) struct OrderSignals(Mutex<BTreeMap<NodeName, watch::Sender<()>>>);

/// Woken when the orders of one node have changed. It wakes at once the first
/// time: whoever has not looked yet has to.
#[derive(Debug)]
pub struct OrderSignal(watch::Receiver<()>);

impl OrderSignals {
    /// A listener for a node.
    pub(crate) fn listen(&self, node: &NodeName) -> OrderSignal {
        let mut signals = self.lock();
        let mut receiver = signals.entry(node.clone()).or_default().subscribe();
        receiver.mark_changed();
        OrderSignal(receiver)
    }

    /// The orders of these nodes have changed.
    pub(crate) fn tell(&self, nodes: &BTreeSet<NodeName>) {
        if nodes.is_empty() {
            return;
        }
        let mut signals = self.lock();
        for node in nodes {
            if let Some(signal) = signals.get(node)
                && signal.send(()).is_err()
            {
                // Its last listener has gone.
                signals.remove(node);
            }
        }
    }

    /// Everything may have changed.
    pub(crate) fn tell_all(&self) {
        self.lock().retain(|_, signal| signal.send(()).is_ok());
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<NodeName, watch::Sender<()>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl OrderSignal {
    /// Waits until the node's orders may differ from those at the last return.
    /// `false`: they never will again, the registry is closing.
    pub async fn changed(&mut self) -> bool {
        self.0.changed().await.is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    fn node(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    #[tokio::test]
    async fn only_the_node_whose_orders_changed_is_woken_and_once_for_many_changes() {
        let signals = OrderSignals::default();
        let (mut a, mut b) = (signals.listen(&node("a")), signals.listen(&node("b")));
        assert!(a.changed().await && b.changed().await, "the first look is due");
        signals.tell(&[node("a"), node("nobody-listens")].into());
        signals.tell(&[node("a")].into());
        assert!(a.changed().await);
        assert!(a.changed().now_or_never().is_none() && b.changed().now_or_never().is_none());
        signals.tell_all();
        assert!(a.changed().await && b.changed().await);
        drop(a);
        signals.tell(&[node("a")].into());
        assert_eq!(signals.lock().len(), 1, "nobody listens there any more");
    }
}
