//! Nodes, each with a runner: the real life cycle of instances
//! (`runner_domain`) and the real rule whom to obey, over a journal and a
//! keeper made of memory. What the runner's own I/O does is done here again in
//! short: it survives or not what it does there.
//!
//! | module | what |
//! |---|---|
//! | [`Node`] | one node: what survives its runner, what does not |
//! | `journal` | what the runner wrote down |
//! | `keeper` | the programs; they outlive the runner |
//! | `supervise` | input → step → journal → effects |
//! | `leases` | until when its singletons may run |
//! | `roster` | what belongs here now |
//! | `talk` | the session with whoever leads |

mod journal;
mod keeper;
mod leases;
mod node;
mod roster;
mod supervise;
mod talk;

pub(crate) use node::Node;

use crate::judge::Judge;
use crate::replica::Replica;
use crate::rig::{Dice, World};
use crate::town::Clocks;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Nodes of a world.
const NODES: u64 = 3;

/// The number of a node among the hosts of the network.
pub(crate) fn host(node: u64) -> u64 {
    100 + node
}

/// All nodes; clones share them.
#[derive(Clone)]
pub(crate) struct Fleet(Arc<BTreeMap<u64, Arc<Node>>>);

impl Fleet {
    pub(crate) fn new(dice: &Dice, judge: &Judge, clocks: &Clocks) -> Self {
        let node = |number| (number, Node::new(number, dice.fork(), judge.clone(), clocks.clone()));
        Self(Arc::new((1..=NODES).map(node).collect()))
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.0.keys().copied().collect()
    }

    pub(crate) fn node(&self, number: u64) -> &Arc<Node> {
        &self.0[&number]
    }
}

/// All runners start.
pub(crate) fn begin(world: &World<Replica>) {
    for number in world.common.fleet.numbers() {
        world.common.fleet.node(number).start(world, false);
    }
}
