//! Nodes that are lost, since when this leader has known that, and when
//! something on one of them is to be placed elsewhere. In memory only, by the
//! monotonic clock: a new leader counts anew, and nothing is replaced sooner
//! because of that.

use process_model::{NodeName, Timestamp};
use registry_domain::{NodeState, Order, State, replacement};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Said again after this at the earliest, should it have had no effect.
const AGAIN: Duration = Duration::from_secs(1);

/// The brake ends when most nodes are back, and the rest is on its way: runners dial again within five seconds, and
/// may have to wait for admission.
const RETURNING: Duration = Duration::from_secs(10);

/// The silences of lost nodes.
#[derive(Debug, Default)]
pub(crate) struct Silences {
    nodes: BTreeMap<NodeName, Silent>,
    /// While the brake is on: when somebody had released it last.
    braked: Option<Timestamp>,
}

#[derive(Debug)]
struct Silent {
    /// Which loss of the node it is.
    loss: u64,
    since: Instant,
    /// When to speak of it; `None`: nothing on it is to be replaced.
    due: Option<Instant>,
    /// Not before.
    not_before: Instant,
}

impl Silences {
    /// What a new leader finds: the same nodes, all lost just now.
    pub(crate) fn begin(state: &State, now: Instant, least: Duration) -> Self {
        let mut silences = Self::default();
        silences.plan(state, now, least);
        silences
    }

    /// Takes in what the state says by now. Nothing is due before `least` is over: nodes that fell silent in the same
    /// moment are lost one by one within it, and when they are many nothing is replaced.
    pub(crate) fn plan(&mut self, state: &State, now: Instant, least: Duration) {
        let lost = |node: &NodeName| state.nodes().get(node).filter(|node| node.state == NodeState::Lost);
        let returning = self.braked.take().is_some_and(|released| ended_by_itself(state, released));
        self.braked = state.meta().brake.as_ref().map(|_| state.meta().brake_released);
        self.nodes.retain(|node, silent| lost(node).is_some_and(|lost| lost.losses == silent.loss));
        for node in state.nodes().values().filter(|node| node.state == NodeState::Lost) {
            let silent = self.nodes.entry(node.name.clone()).or_insert(Silent {
                loss: node.losses,
                since: now,
                due: None,
                not_before: now,
            });
            if returning {
                silent.not_before = now + RETURNING;
            }
            let patience = replacement::next(state, &node.name);
            silent.due = patience.map(|patience| (silent.since + patience.max(least)).max(silent.not_before));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// When the next is due.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.nodes.values().filter_map(|silent| silent.due).min()
    }

    /// What is to be said by now.
    pub(crate) fn due(&mut self, now: Instant) -> Vec<Order> {
        let due = self.nodes.iter_mut().filter(|(_, silent)| silent.due.is_some_and(|due| due <= now));
        due.map(|(node, silent)| {
            silent.not_before = now + AGAIN;
            silent.due = None;
            let silence = now.duration_since(silent.since);
            Order::NodeSilent { node: node.clone(), silent: silence, loss: silent.loss }
        })
        .collect()
    }
}

/// There is no brake any more, and nobody said that what is lost is lost.
fn ended_by_itself(state: &State, released: Timestamp) -> bool {
    state.meta().brake.is_none() && state.meta().brake_released == released
}
