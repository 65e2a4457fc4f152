//! Watches the leases while this replica leads: a node whose lease runs out is
//! declared lost by a command. A broken stream alone declares nothing.

use crate::driver::{Driver, OWN_ACTOR};
use crate::leases::Leases;
use crate::view::View;
use process_model::NodeName;
use registry_consensus::Consensus;
use registry_domain::{NodeState, Order};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Leases, shared between sessions and their keeper.
#[derive(Clone)]
pub(crate) struct LeaseBook {
    leases: Arc<Mutex<Leases>>,
    changed: Arc<Notify>,
}

impl LeaseBook {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { leases: Arc::new(Mutex::new(Leases::new(lease))), changed: Arc::default() }
    }

    /// The node gave a sign of life now.
    pub(crate) fn renew(&self, node: &NodeName) {
        if self.lock().renew(node, now()) {
            self.changed.notify_one();
        }
    }

    fn lock(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps the leases until `stop`.
pub(crate) async fn keep(
    book: LeaseBook,
    consensus: Consensus,
    view: Arc<View>,
    driver: Driver,
    stop: CancellationToken,
) {
    let mut standing = consensus.standing();
    let mut leading = false;
    loop {
        let leads = standing.borrow_and_update().leads();
        match (leading, leads) {
            // Elected, but perhaps some entries of the leader before are not
            // applied yet, and with them nodes unknown.
            (false, true) => {
                if consensus.read_barrier().await.is_ok() {
                    let nodes = ready_nodes(&view);
                    book.lock().start_anew(nodes.iter(), now());
                    leading = true;
                }
            }
            (true, false) => {
                book.lock().clear();
                leading = false;
            }
            (true, true) | (false, false) => {}
        }
        let deadline = book.lock().next_deadline().filter(|_| leading);
        tokio::select! {
            () = stop.cancelled() => return,
            changed = standing.changed() => if changed.is_err() { return },
            () = book.changed.notified() => {}
            () = until(deadline) => declare_lost(&book, &view, &driver).await,
        }
    }
}

/// Of the runtime, so that it stands still where time does.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn ready_nodes(view: &View) -> Vec<NodeName> {
    let machine = view.read();
    machine.state.nodes().values().filter(|n| n.state == NodeState::Ready).map(|n| n.name.clone()).collect()
}

async fn until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => tokio::time::sleep_until(deadline.into()).await,
        None => std::future::pending().await,
    }
}

async fn declare_lost(book: &LeaseBook, view: &View, driver: &Driver) {
    let expired = book.lock().take_expired(now());
    for node in expired {
        // A node that has never been announced cannot be lost.
        if !view.read().state.is_ready(&node) {
            continue;
        }
        tracing::warn!(%node, "the lease of a node has run out");
        if let Err(error) = driver.note(OWN_ACTOR, Order::NodeLost { node: node.clone() }).await {
            // Whoever leads next grants a lease of its own and decides anew;
            // while this replica leads on, it tries again after another lease.
            tracing::warn!(%node, %error, "cannot record that a node was lost");
            book.renew(&node);
        }
    }
}
