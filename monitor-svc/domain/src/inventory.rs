//! Which connected node has which instance, and which of them run.
//!
//! In: sessions that begin and end, what a session says its node has, and
//! which instances its newest round of measurements had. Out: where the
//! instances of a selector are. A node's later session replaces the earlier
//! one; what an earlier one says afterwards is refused.

use crate::SessionId;
use process_model::{InstanceId, NodeName, Selector};
use std::collections::{BTreeMap, BTreeSet};

/// How an inventory took what a session said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Told {
    /// It is believed.
    Accepted,
    /// The session is not the node's current one.
    Refused,
}

/// Where an instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// The instance.
    pub instance: InstanceId,
    /// The node to ask for its logs.
    pub node: NodeName,
    /// The node's session.
    pub session: SessionId,
    /// Whether the node's newest round of measurements had it; `None` as long
    /// as the session has sent no round.
    pub runs: Option<bool>,
}

/// A selector that matches nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{selector} matches no instance that a connected node has")]
pub struct Unmatched {
    /// The selector.
    pub selector: Selector,
}

#[derive(Debug)]
struct Node {
    session: SessionId,
    /// Each instance with the number of the inventory that first had it.
    holds: BTreeMap<InstanceId, u64>,
    /// `None` before the session's first round.
    running: Option<BTreeSet<InstanceId>>,
}

impl Node {
    fn runs(&self, id: &InstanceId) -> Option<bool> {
        self.running.as_ref().map(|running| running.contains(id))
    }
}

/// The connected nodes and what they have.
#[derive(Debug, Default)]
pub struct Inventory {
    nodes: BTreeMap<NodeName, Node>,
    mentions: u64,
}

impl Inventory {
    /// A session began. Returns the session of the same node that it replaces.
    pub fn connected(&mut self, node: NodeName, session: SessionId) -> Option<SessionId> {
        let fresh = Node { session, holds: BTreeMap::new(), running: None };
        self.nodes.insert(node, fresh).map(|replaced| replaced.session)
    }

    /// A session ended. The node is forgotten unless a later session has it.
    pub fn disconnected(&mut self, node: &NodeName, session: SessionId) -> Told {
        if self.current(node, session).is_none() {
            return Told::Refused;
        }
        self.nodes.remove(node);
        Told::Accepted
    }

    /// A session said what its node has: all of it, replacing what it said before.
    pub fn announced(&mut self, node: &NodeName, session: SessionId, has: BTreeSet<InstanceId>) -> Told {
        self.mentions += 1;
        let mention = self.mentions;
        let Some(node) = self.current(node, session) else { return Told::Refused };
        let before = std::mem::take(&mut node.holds);
        node.holds = has
            .into_iter()
            .map(|id| {
                let first = before.get(&id).copied().unwrap_or(mention);
                (id, first)
            })
            .collect();
        Told::Accepted
    }

    /// A session sent a round of measurements: these run, and no others.
    pub fn measured(&mut self, node: &NodeName, session: SessionId, running: BTreeSet<InstanceId>) -> Told {
        let Some(node) = self.current(node, session) else { return Told::Refused };
        node.running = Some(running);
        Told::Accepted
    }

    /// Where the instances of these selectors are: each once, ordered by id.
    ///
    /// # Errors
    /// A selector matches nothing.
    pub fn find(&self, selectors: &[Selector]) -> Result<Vec<Location>, Unmatched> {
        let everything: Vec<Location> = self.locations();
        for selector in selectors {
            if !everything.iter().any(|found| selector.selects_instance(&found.instance)) {
                return Err(Unmatched { selector: selector.clone() });
            }
        }
        let selected = |found: &Location| selectors.iter().any(|selector| selector.selects_instance(&found.instance));
        Ok(everything.into_iter().filter(selected).collect())
    }

    /// Where every instance is, ordered by id.
    ///
    /// An instance that moved may be on two nodes: the old one still has its
    /// old files. The one where it runs counts, else the one that got it last.
    #[must_use]
    pub fn locations(&self) -> Vec<Location> {
        let mut best: BTreeMap<&InstanceId, (Option<bool>, u64, &NodeName, SessionId)> = BTreeMap::new();
        for (name, node) in &self.nodes {
            for (id, mention) in &node.holds {
                let claim = (node.runs(id), *mention, name, node.session);
                let counts = best.entry(id).or_insert(claim);
                if (claim.0 == Some(true), claim.1) > (counts.0 == Some(true), counts.1) {
                    *counts = claim;
                }
            }
        }
        best.into_iter()
            .map(|(instance, (runs, _, node, session))| Location {
                instance: instance.clone(),
                node: node.clone(),
                session,
                runs,
            })
            .collect()
    }

    /// Whether an instance runs on a node. `None` when nobody knows: the node
    /// is not connected, or its session has sent no round of measurements.
    #[must_use]
    pub fn runs(&self, id: &InstanceId, node: &NodeName) -> Option<bool> {
        self.nodes.get(node)?.runs(id)
    }

    /// Whether a node has a session.
    #[must_use]
    pub fn is_connected(&self, node: &NodeName) -> bool {
        self.nodes.contains_key(node)
    }

    /// The connected nodes, ordered by name, with the number of instances
    /// that each has.
    pub fn nodes(&self) -> impl Iterator<Item = (&NodeName, usize)> {
        self.nodes.iter().map(|(name, node)| (name, node.holds.len()))
    }

    fn current(&mut self, node: &NodeName, session: SessionId) -> Option<&mut Node> {
        self.nodes.get_mut(node).filter(|node| node.session == session)
    }
}
