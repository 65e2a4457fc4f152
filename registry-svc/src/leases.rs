//! Which nodes are heard from: a deadline for each, pushed out by every sign
//! of life. In the leader's memory only, by the monotonic clock.

use process_model::NodeName;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// The leases of all nodes.
#[derive(Debug)]
pub(crate) struct Leases {
    lease: Duration,
    deadlines: BTreeMap<NodeName, Instant>,
}

impl Leases {
    pub(crate) fn new(lease: Duration) -> Self {
        Self { lease, deadlines: BTreeMap::new() }
    }

    /// The node gave a sign of life. `true` when it had no lease before: then
    /// somebody who waits for the next deadline has to look again.
    pub(crate) fn renew(&mut self, node: &NodeName, now: Instant) -> bool {
        let deadline = now + self.lease;
        match self.deadlines.get_mut(node) {
            Some(old) => {
                *old = deadline;
                false
            }
            None => self.deadlines.insert(node.clone(), deadline).is_none(),
        }
    }

    /// A new leader knows nothing about anybody: every node gets a whole
    /// lease, so that a failover never declares a healthy node dead.
    pub(crate) fn start_anew<'a>(&mut self, nodes: impl Iterator<Item = &'a NodeName>, now: Instant) {
        let deadline = now + self.lease;
        self.deadlines = nodes.map(|node| (node.clone(), deadline)).collect();
    }

    /// Who does not lead grants no leases.
    pub(crate) fn clear(&mut self) {
        self.deadlines.clear();
    }

    /// When the next lease runs out.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.values().min().copied()
    }

    /// Takes the nodes whose lease has run out.
    pub(crate) fn take_expired(&mut self, now: Instant) -> Vec<NodeName> {
        let expired: Vec<NodeName> =
            self.deadlines.iter().filter(|(_, deadline)| **deadline <= now).map(|(node, _)| node.clone()).collect();
        self.deadlines.retain(|_, deadline| *deadline > now);
        expired
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LEASE: Duration = Duration::from_secs(10);

    fn node(name: &str) -> NodeName {
        name.parse().unwrap()
    }

    #[test]
    fn a_node_expires_once_and_not_before_its_lease_is_over() {
        let start = Instant::now();
        let mut leases = Leases::new(LEASE);
        assert!(leases.renew(&node("a"), start));
        assert!(!leases.renew(&node("a"), start + Duration::from_secs(5)));
        assert!(leases.take_expired(start + Duration::from_secs(14)).is_empty());
        assert_eq!(leases.take_expired(start + Duration::from_secs(15)), [node("a")]);
        assert!(leases.take_expired(start + Duration::from_secs(99)).is_empty());
    }

    #[test]
    fn a_new_leader_gives_every_node_a_whole_lease() {
        let start = Instant::now();
        let mut leases = Leases::new(LEASE);
        leases.renew(&node("a"), start);
        let elected = start + Duration::from_secs(9);
        leases.start_anew([node("a"), node("b")].iter(), elected);
        assert_eq!(leases.next_deadline(), Some(elected + LEASE));
        assert!(leases.take_expired(elected + Duration::from_secs(9)).is_empty());
        assert_eq!(leases.take_expired(elected + LEASE), [node("a"), node("b")]);
    }
}
