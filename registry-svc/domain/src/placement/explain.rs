//! Where the instances of a process are and why, and why the others are
//! nowhere: what the planner knows, in words.

use super::asked::Asked;
use super::fitting::{self, Exclusion};
use super::score::Score;
use super::seat::{Room, Seat};
use crate::{Instance, NodeState, State, moving};
use process_model::spec::PlacementStrategy;
use process_model::{InstanceId, NodeName, ProcessName};
use std::collections::BTreeMap;

/// Where the instances of a process are, and what every node is for one more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Explanation {
    /// The process.
    pub process: ProcessName,
    /// How a node is chosen.
    pub strategy: PlacementStrategy,
    /// The label that it is spread over.
    pub spread_by: Option<String>,
    /// Whether there is one on each node that can be.
    pub daemon: bool,
    /// Its instances, by number.
    pub instances: Vec<Standing>,
    /// Nodes that can take one more, the best first; then those that cannot, by name.
    pub nodes: Vec<Candidate>,
    /// How many nodes cannot for the same reason, the most frequent first.
    pub excluded: Vec<(String, u32)>,
}

/// Where one instance is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The instance.
    pub instance: InstanceId,
    /// Its node.
    pub node: Option<NodeName>,
    /// Why it is there, or nowhere.
    pub why: String,
}

/// What a node is for one more instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The node.
    pub node: NodeName,
    /// Why it cannot take one; `None`: it can.
    pub exclusion: Option<Exclusion>,
    /// Instances of this process on it.
    pub own: u32,
    /// Instances of any process on it.
    pub instances: u32,
    /// Its value of the label that instances are spread over.
    pub spread_value: Option<String>,
    /// Instances of this process on nodes with that value.
    pub spread_own: u32,
    /// Thousandths of a CPU that are not reserved.
    pub free_cpu_millis: u64,
    /// Bytes of memory that are not reserved.
    pub free_memory: u64,
    /// How much is reserved: thousandths of its processors and of its memory, together.
    pub fullness: u64,
}

/// What is known of a process; of one instance only, when one is named.
/// `None`: there is no such process.
#[must_use]
pub fn explain(state: &State, process: &ProcessName, index: Option<u32>) -> Option<Explanation> {
    let asked = Asked::of(state, process, None)?;
    let placement = asked.placement;
    let label = placement.spread_by.as_deref();
    let values = label.map(|label| asked.own_by_value(state, label)).unwrap_or_default();
    let constraints = fitting::compiled(&placement.constraints);
    let mut nodes = Vec::with_capacity(state.nodes.len());
    let mut reasons: BTreeMap<String, u32> = BTreeMap::new();
    for node in state.nodes.values() {
        let seat = Seat::of(state, node);
        let exclusion =
            fitting::closed(node).or_else(|| fitting::constraint(&constraints, node)).or_else(|| asked.excludes(&seat));
        if let Some(exclusion) = &exclusion {
            *reasons.entry(exclusion.reason()).or_default() += 1;
        }
        let value = label.and_then(|label| node.label(label));
        let own = asked.own(&node.name);
        let spread_own = value.and_then(|value| values.get(value)).copied().unwrap_or_default();
        let Room { cpu_millis, memory } = seat.free;
        let candidate = Candidate {
            node: node.name.clone(),
            exclusion,
            own,
            instances: u32::try_from(seat.load).unwrap_or(u32::MAX),
            spread_value: value.map(str::to_owned),
            spread_own,
            free_cpu_millis: cpu_millis,
            free_memory: memory,
            fullness: seat.fullness(),
        };
        let last = if label.is_some() && value.is_none() { u32::MAX } else { spread_own };
        let rank = (candidate.exclusion.is_some(), last, Score::of(placement.strategy, &seat, own, 0));
        nodes.push((rank, candidate));
    }
    nodes.sort_by(|(a, one), (b, other)| match (a.0, b.0) {
        (true, true) => one.node.cmp(&other.node),
        (_, _) => a.cmp(b),
    });
    let mut excluded: Vec<(String, u32)> = reasons.into_iter().collect();
    excluded.sort_by(|(a, n), (b, m)| m.cmp(n).then_with(|| a.cmp(b)));
    let holds = moving::holds(state);
    let instances = state.instances_of(process).filter(|one| index.is_none_or(|index| one.id.index == index));
    let instances = instances.map(|one| Standing {
        instance: one.id.clone(),
        node: one.node.clone(),
        why: why(state, one, holds.get(&one.id)),
    });
    Some(Explanation {
        process: process.clone(),
        strategy: placement.strategy,
        spread_by: placement.spread_by.clone(),
        daemon: placement.daemon,
        instances: instances.collect(),
        nodes: nodes.into_iter().map(|(_, candidate)| candidate).collect(),
        excluded,
    })
}

/// Why an instance is where it is.
fn why(state: &State, instance: &Instance, hold: Option<&moving::Hold>) -> String {
    let Some(node) = &instance.node else {
        return if state.meta.mode.acts() {
            "it waits: no node can take it".to_owned()
        } else {
            "it waits: the registry looks on since a backup was restored".to_owned()
        };
    };
    if let Some(moving) = &instance.moving {
        return format!("it leaves {node} ({}), and goes to another node once it has ended", moving.cause.as_str());
    }
    if instance.removing {
        return format!("it is being removed from {node}");
    }
    if let Some(hold) = hold {
        return format!("it is on {node} and stays for now: {hold}");
    }
    match state.nodes.get(node).map(|node| node.state) {
        Some(NodeState::Ready) => format!("it is on {node}, and stays where it is"),
        Some(NodeState::Suspect) => format!("it is on {node}, which has not been heard for half of its lease"),
        Some(NodeState::Lost) | None => format!("it is on {node}, which is lost"),
    }
}
