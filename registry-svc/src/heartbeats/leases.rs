//! Which nodes are heard from: for each, when it last gave a sign of life and
//! how long it may be silent. In the leader's memory only, by the monotonic
//! clock.
//!
//! A sign of life costs one search by name. When to look at a node stands in a
//! heap with one valid look for each, which is only moved when its time has
//! come: then it is found that the node was heard meanwhile, as a rule, and the
//! next look is half a lease later.

use process_model::NodeName;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

/// The leases of all nodes.
#[derive(Debug, Default)]
pub(crate) struct Leases {
    nodes: BTreeMap<NodeName, Lease>,
    /// When to look at whom; of a node only the look counts that its lease names.
    looks: BinaryHeap<Reverse<(Instant, NodeName)>>,
}

#[derive(Debug)]
struct Lease {
    heard: Instant,
    lease: Duration,
    suspected: bool,
    look: Instant,
}

/// What a silence has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Silence {
    /// Half of the lease is over.
    Suspect,
    /// All of it is.
    Lost,
}

impl Lease {
    /// When something follows from its silence.
    fn due(&self) -> Instant {
        self.heard + if self.suspected { self.lease } else { self.lease / 2 }
    }
}

impl Leases {
    /// The node gave a sign of life, and may be silent for `lease` from now on. `true` when somebody who waits for the
    /// next look has to wait for less.
    pub(crate) fn renew(&mut self, node: &NodeName, lease: Duration, now: Instant) -> bool {
        match self.nodes.get_mut(node) {
            Some(old) => {
                (old.heard, old.lease, old.suspected) = (now, lease, false);
                let due = old.due();
                let sooner = due < old.look;
                if sooner {
                    old.look = due;
                    self.looks.push(Reverse((due, node.clone())));
                }
                sooner
            }
            None => {
                self.grant(node.clone(), lease, now);
                true
            }
        }
    }

    fn grant(&mut self, node: NodeName, lease: Duration, heard: Instant) {
        let look = heard + lease / 2;
        self.looks.push(Reverse((look, node.clone())));
        self.nodes.insert(node, Lease { heard, lease, suspected: false, look });
    }

    /// A new leader knows nothing about anybody: every node gets a whole
    /// lease, and the time that all of them need to come, so that a failover
    /// never declares a healthy node dead.
    pub(crate) fn start_anew(
        &mut self,
        nodes: impl Iterator<Item = NodeName>,
        lease: Duration,
        to_come: Duration,
        now: Instant,
    ) {
        self.clear();
        nodes.for_each(|node| self.grant(node, lease, now + to_come));
    }

    /// Who does not lead grants no leases.
    pub(crate) fn clear(&mut self) {
        self.nodes.clear();
        self.looks.clear();
    }

    /// Nodes that have one.
    pub(crate) fn count(&self) -> usize {
        self.nodes.len()
    }

    /// When to look next.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.looks.peek().map(|Reverse((at, _))| *at)
    }

    /// What the silences have come to by now, each told once. A lost node has no
    /// lease any more.
    pub(crate) fn take_due(&mut self, now: Instant) -> Vec<(NodeName, Silence)> {
        let mut due = Vec::new();
        while self.next_look().is_some_and(|at| at <= now) {
            let Some(Reverse((at, node))) = self.looks.pop() else { break };
            let Some(lease) = self.nodes.get_mut(&node).filter(|lease| lease.look == at) else { continue };
            if lease.heard + lease.lease <= now {
                self.nodes.remove(&node);
                due.push((node, Silence::Lost));
                continue;
            }
            if lease.due() <= now {
                lease.suspected = true;
                due.push((node.clone(), Silence::Suspect));
            }
            lease.look = lease.due();
            self.looks.push(Reverse((lease.look, node)));
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn node(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn a_silent_node_is_suspected_after_half_its_lease_and_lost_after_all_of_it_once_each() {
        let start = Instant::now();
        let mut leases = Leases::default();
        assert!(leases.renew(&node("a"), LEASE, start));
        assert!(!leases.renew(&node("a"), LEASE, start + seconds(3)), "who waits for it has to look no sooner");
        assert!(leases.take_due(start + seconds(7)).is_empty());
        assert_eq!(leases.take_due(start + seconds(8)), [(node("a"), Silence::Suspect)]);
        assert!(leases.take_due(start + seconds(12)).is_empty());
        assert_eq!(leases.take_due(start + seconds(13)), [(node("a"), Silence::Lost)]);
        assert!(leases.take_due(start + seconds(99)).is_empty());
        assert_eq!((leases.count(), leases.next_look()), (0, None));
    }

    #[test]
    fn a_suspected_node_that_is_heard_has_a_whole_lease_again() {
        let start = Instant::now();
        let mut leases = Leases::default();
        leases.renew(&node("a"), LEASE, start);
        assert_eq!(leases.take_due(start + seconds(9)), [(node("a"), Silence::Suspect)]);
        leases.renew(&node("a"), LEASE, start + seconds(9));
        assert!(leases.take_due(start + seconds(13)).is_empty());
        assert_eq!(leases.take_due(start + seconds(14)), [(node("a"), Silence::Suspect)]);
        assert_eq!(leases.take_due(start + seconds(19)), [(node("a"), Silence::Lost)]);
    }

    #[test]
    fn a_new_leader_gives_every_node_a_whole_lease_and_the_time_to_come() {
        let start = Instant::now();
        let mut leases = Leases::default();
        leases.renew(&node("a"), LEASE, start);
        let elected = start + seconds(9);
        leases.start_anew([node("a"), node("b")].into_iter(), LEASE, seconds(4), elected);
        assert!(leases.take_due(elected + seconds(8)).is_empty());
        // One of them comes, and then is silent: that is found by its own lease.
        assert!(leases.renew(&node("b"), LEASE, elected + seconds(1)), "sooner than it was to be looked at");
        let suspects = [(node("b"), Silence::Suspect), (node("a"), Silence::Suspect)];
        assert_eq!(leases.take_due(elected + seconds(9)), suspects);
        assert_eq!(leases.take_due(elected + seconds(11)), [(node("b"), Silence::Lost)]);
        assert_eq!(leases.take_due(elected + seconds(14)), [(node("a"), Silence::Lost)]);
    }

    #[test]
    fn heartbeats_leave_nothing_behind() {
        let start = Instant::now();
        let mut leases = Leases::default();
        for beat in 0..100_000_u64 {
            let now = start + Duration::from_millis(beat);
            leases.renew(&node(&format!("n{}", beat % 100)), LEASE, now);
            leases.take_due(now);
        }
        assert!(leases.looks.len() <= 100, "{} looks for 100 nodes", leases.looks.len());
    }

    proptest! {
        /// The same as somebody who looks at every node at every moment.
        #[test]
        fn every_silence_is_told_in_time_and_no_other(
            beats in prop::collection::vec((0_u64..40, 0_u64..4, 4_u64..20), 0..60),
        ) {
            let start = Instant::now();
            let mut leases = Leases::default();
            let mut naive: BTreeMap<NodeName, (u64, u64, bool)> = BTreeMap::new();
            let mut beats = beats;
            beats.sort_unstable();
            for at in 0..100 {
                let now = start + seconds(at);
                let mut expected = Vec::new();
                naive.retain(|node, (heard, lease, suspected)| {
                    if *heard + *lease <= at {
                        expected.push((node.clone(), Silence::Lost));
                        return false;
                    }
                    if !*suspected && (*heard * 2 + *lease) <= at * 2 {
                        *suspected = true;
                        expected.push((node.clone(), Silence::Suspect));
                    }
                    true
                });
                let mut told = leases.take_due(now);
                told.sort_by(|a, b| a.0.cmp(&b.0));
                prop_assert_eq!(&told, &expected, "at {}", at);
                for (_, name, lease) in beats.iter().filter(|(then, ..)| *then == at) {
                    let name = node(&format!("n{name}"));
                    leases.renew(&name, seconds(*lease), now);
                    naive.insert(name, (at, *lease, false));
                }
            }
            prop_assert!(leases.nodes.is_empty() && leases.looks.is_empty());
        }
    }
}
