//! Watches the silences while this replica leads: half a lease makes a node
//! suspect, a whole one lost, both by a command; and a node that stays lost is
//! spoken of again whenever something on it is to be placed elsewhere. A broken
//! stream alone declares nothing.
//!
//! Everything here is counted by the monotonic clock from what this leader has
//! seen itself: its successor begins anew.

use super::admission::Admission;
use super::leases::{Leases, Silence};
use super::pace::{Pace, Pacing};
use super::silences::Silences;
use crate::driver::{Driver, OWN_ACTOR, ProposeError};
use crate::view::View;
use process_model::NodeName;
use registry_consensus::Consensus;
use registry_domain::{NodeState, Order};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// What the state says is looked at this long after it changed, while a node is
/// lost: a release of the brake, another policy.
const LINGER: Duration = Duration::from_millis(250);

/// What waits in this replica's sockets is read within this long.
const LISTEN: Duration = Duration::from_millis(100);

/// Heartbeats that lie between the losses of two nodes which fell silent in the same moment: one, and what its answer
/// and the commit of a loss take.
const BEATS: u32 = 2;

/// Leases, shared between sessions and their keeper.
#[derive(Clone)]
pub(crate) struct LeaseBook {
    leases: Arc<Mutex<Leases>>,
    changed: Arc<Notify>,
    pacing: Pacing,
}

impl LeaseBook {
    pub(crate) fn new(pacing: Pacing) -> Self {
        Self { leases: Arc::default(), changed: Arc::default(), pacing }
    }

    /// The node gave a sign of life now, and was told that it may be silent for
    /// `lease`. Returns what it should be told.
    pub(crate) fn renew(&self, node: &NodeName, lease: Duration) -> Pace {
        let mut leases = self.lock();
        if leases.renew(node, lease, now()) {
            self.changed.notify_one();
        }
        self.pacing.of(leases.count())
    }

    /// What nodes are told now.
    pub(crate) fn pace(&self) -> Pace {
        self.pacing.of(self.lock().count())
    }

    fn lock(&self) -> MutexGuard<'_, Leases> {
        self.leases.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What the keeper works with.
pub(crate) struct LeaseKeeper {
    pub(crate) book: LeaseBook,
    pub(crate) admission: Arc<Admission>,
    pub(crate) consensus: Consensus,
    pub(crate) view: Arc<View>,
    pub(crate) driver: Driver,
}

impl LeaseKeeper {
    /// Keeps the leases until `stop`.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut standing = self.consensus.standing();
        let mut applied = self.consensus.applied();
        let mut silences = Silences::default();
        let mut leading = None;
        loop {
            let leads = standing.borrow_and_update().leading();
            if leads != leading {
                self.book.lock().clear();
                silences = Silences::default();
                leading = None;
                // Elected, but perhaps some entries of the leader before are not applied yet, and with them nodes
                // unknown.
                if leads.is_some() && self.consensus.read_barrier().await.is_ok() {
                    self.begin(&mut silences);
                    leading = leads;
                }
            }
            let look = self.book.lock().next_look().into_iter().chain(silences.next()).min();
            tokio::select! {
                () = stop.cancelled() => return,
                changed = standing.changed() => if changed.is_err() { return },
                () = self.book.changed.notified() => {}
                term = due(leading, look) => {
                    if self.has_listened().await {
                        self.declare(&mut silences, term).await;
                        self.replace(&mut silences, term).await;
                    }
                }
                // Only what changes while somebody is lost can make something due sooner.
                changed = applied.changed(), if leading.is_some() && !silences.is_empty() => {
                    if changed.is_err() { return }
                    tokio::time::sleep(LINGER).await;
                    applied.borrow_and_update();
                    silences.plan(&self.view.read().state, now(), self.together());
                }
            }
        }
    }

    /// This replica begins to lead: nobody has been silent yet.
    fn begin(&self, silences: &mut Silences) {
        let machine = self.view.read();
        let nodes = machine.state.nodes().values();
        let alive: Vec<NodeName> = nodes.filter(|n| n.state != NodeState::Lost).map(|n| n.name.clone()).collect();
        // Twice, as who is sent away comes a little later than it could.
        let to_come = self.admission.time_for(alive.len().saturating_mul(2));
        let pace = self.book.pacing.of(alive.len());
        self.book.lock().start_anew(alive.into_iter(), pace.lease, to_come, now());
        *silences = Silences::begin(&machine.state, now(), pace.interval * BEATS);
    }

    /// Nodes that fall silent in the same moment are lost within so long.
    fn together(&self) -> Duration {
        self.book.pace().interval * BEATS
    }

    /// Whoever seems silent may have spoken while this replica stood still itself, or to a successor: a majority
    /// confirms that it leads, and what was said meanwhile is heard, before anybody is declared anything.
    async fn has_listened(&self) -> bool {
        let confirmed = self.consensus.read_barrier().await.is_ok();
        tokio::time::sleep(LISTEN).await;
        confirmed
    }

    /// Has written down what the silences have come to: all of them at once, as
    /// thousands may be lost in the same moment.
    async fn declare(&self, silences: &mut Silences, term: u64) {
        let mut declared = Vec::new();
        // Heartbeats do not wait for what follows.
        let due = self.book.lock().take_due(now());
        for (node, silence) in due {
            let machine = self.view.read();
            // A node that has never been announced cannot be lost.
            let Some(known) = machine.state.nodes().get(&node) else { continue };
            let order = match (silence, known.state) {
                (Silence::Suspect, NodeState::Ready) => Order::NodeSuspect { node: node.clone() },
                (Silence::Lost, NodeState::Ready | NodeState::Suspect) => Order::NodeLost { node: node.clone() },
                (Silence::Suspect, NodeState::Suspect | NodeState::Lost) | (Silence::Lost, NodeState::Lost) => continue,
            };
            drop(machine);
            if crate::levels::has(&self.view, &order) {
                declared.push((node, silence, order));
            }
        }
        let mut pending = Vec::with_capacity(declared.len());
        for (node, silence, order) in declared {
            match silence {
                Silence::Suspect => tracing::info!(%node, "a node has been silent for half of its lease"),
                Silence::Lost => tracing::warn!(%node, "the lease of a node has run out"),
            }
            match self.driver.submit_as_leader(term, self.driver.noted(OWN_ACTOR, order), 0).await {
                Ok(answer) => pending.push((node, silence, answer)),
                Err(error) => self.try_again(&node, silence, &error),
            }
        }
        for (node, silence, answer) in pending {
            if let Err(error) = answer.answer().await {
                self.try_again(&node, silence, &error);
            }
        }
        // Only now: whoever was lost counts from when that was written down.
        silences.plan(&self.view.read().state, now(), self.together());
    }

    /// Whoever leads next grants a lease of its own and decides anew; while
    /// this replica leads on, it tries again after another lease.
    fn try_again(&self, node: &NodeName, silence: Silence, error: &ProposeError) {
        tracing::warn!(%node, ?silence, %error, "cannot record what became of a node");
        if silence == Silence::Lost {
            let lease = self.book.pace().lease;
            self.book.renew(node, lease);
        }
    }

    /// Speaks of nodes that have been lost for so long that something on them
    /// is to be placed elsewhere; what that is, the domain decides.
    async fn replace(&self, silences: &mut Silences, term: u64) {
        let mut pending = Vec::new();
        for order in silences.due(now()) {
            if !crate::levels::has(&self.view, &order) {
                continue;
            }
            match self.driver.submit_as_leader(term, self.driver.noted(OWN_ACTOR, order), 0).await {
                Ok(answer) => pending.push(answer),
                Err(error) => tracing::warn!(%error, "cannot record that a node is still lost"),
            }
        }
        for answer in pending {
            if let Err(error) = answer.answer().await {
                tracing::warn!(%error, "cannot record that a node is still lost");
            }
        }
        silences.plan(&self.view.read().state, now(), self.together());
    }
}

/// Of the runtime, so that it stands still where time does.
pub(crate) fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The term in which this replica leads, at `look`; never while it does not, or there is nothing to look at.
async fn due(leading: Option<u64>, look: Option<Instant>) -> u64 {
    match leading.zip(look) {
        Some((term, look)) => {
            tokio::time::sleep_until(look.into()).await;
            term
        }
        None => std::future::pending().await,
    }
}
