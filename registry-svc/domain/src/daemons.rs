//! Processes of which there is one instance on each node that can be. An
//! instance is made with its node, under the lowest number that is free, and
//! goes when the node is no longer one of them. It stays through a drain.

use crate::draft::Draft;
use crate::placement::{self, Asked, Scope};
use crate::{Instance, Node, State, limits, retire, rollout};
use process_model::{InstanceId, NodeName, ProcessName, event_type};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What is to be done for one process.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Change {
    create: Vec<NodeName>,
    retire: Vec<InstanceId>,
}

/// Brings daemons to the nodes that can be, and away from the others.
pub(crate) fn settle(draft: &mut Draft<'_>, scope: Scope<'_>) {
    let daemons = draft.state().index.daemons();
    let (names, only): (Vec<ProcessName>, _) = match scope {
        Scope::Everything => (daemons.iter().cloned().collect(), None),
        Scope::Node(node) => (daemons.iter().cloned().collect(), Some(node)),
        Scope::Processes(names) => (names.iter().filter(|name| daemons.contains(name)).cloned().collect(), None),
    };
    // One after the other: each takes room, and may be apart from the next.
    for name in names {
        let Change { create, retire } = plan(draft.state(), &name, only);
        for id in retire {
            retire::instance(draft, &id);
        }
        for node in create {
            self::create(draft, &name, &node);
        }
    }
}

/// What is to be done for a process, on one node or on all.
pub(crate) fn plan(state: &State, name: &ProcessName, only: Option<&NodeName>) -> Change {
    let mut change = Change::default();
    if !state.meta.mode.acts() {
        return change;
    }
    let only = only.and_then(|name| state.nodes.get_key_value(name));
    let Some(asked) = Asked::of(state, name, only.map(|(name, _)| name)) else { return change };
    let constraints = placement::compiled(&asked.placement.constraints);
    let mut total = state.instances.len();
    let mut look = |node: &Arc<Node>| {
        let there: Vec<&InstanceId> = state.index.on_within(&node.name, InstanceId::all_of(name)).collect();
        let staying = there.iter().filter(|id| state.instances.get(id).is_some_and(|one| !one.removing));
        if placement::constraint(&constraints, node).is_some() {
            change.retire.extend(staying.map(|id| (*id).clone()));
            return;
        }
        change.retire.extend(staying.skip(1).map(|id| (*id).clone()));
        // What is leaving has to be gone first: there is never a second copy.
        let free = there.is_empty() && placement::takes_new(node) && total < limits::INSTANCES;
        if free && asked.excludes(&placement::Seat::of(state, node)).is_none() {
            total += 1;
            change.create.push(node.name.clone());
        }
    };
    match only {
        Some((_, node)) => look(node),
        None => state.nodes.values().for_each(look),
    }
    change
}

fn create(draft: &mut Draft<'_>, name: &ProcessName, node: &NodeName) {
    let state = draft.state();
    let Some(process) = state.processes().get(name).cloned() else { return };
    let used: BTreeSet<u32> = state.instances_of(name).map(|one| one.id.index).collect();
    let Some(index) = (1..=u32::MAX).find(|index| !used.contains(index)) else { return };
    let id = InstanceId::new(name.clone(), index);
    let fresh = rollout::for_new(state, &process, id.clone(), draft.header.time);
    draft.put_instance(Instance { node: Some(node.clone()), ..fresh });
    let message = format!("instance {id} was assigned to node {node}, as on every node that can be");
    draft.emit_instance(event_type::INSTANCE_ASSIGNED, &id, message);
}

/// A process is a daemon from now on, or has another spec: what it has stays
/// with its node, and what has none goes.
pub(crate) fn respec(draft: &mut Draft<'_>, name: &ProcessName, generation: Option<u64>, traceparent: &str) {
    let instances = draft.state().instances_of(name).filter(|one| !one.removing || one.moving.is_some());
    // What was on its way to another node goes for good.
    let stays = |one: &Instance| one.node.is_some() && !one.removing;
    let instances: Vec<(InstanceId, bool)> = instances.map(|one| (one.id.clone(), stays(one))).collect();
    for (id, stays) in instances {
        match (stays, generation) {
            (false, _) => retire::instance(draft, &id),
            (true, Some(generation)) => {
                draft.change_instance(&id, |instance| {
                    instance.generation = generation;
                    traceparent.clone_into(&mut instance.traceparent);
                });
            }
            (true, None) => {}
        }
    }
}

/// What is wrong with a daemon's instances; for the invariants.
pub(crate) fn broken(state: &State, name: &ProcessName) -> Option<String> {
    let waits = state.instances_of(name).find(|one| one.node.is_none());
    if let Some(one) = waits {
        return Some(format!("{}: of a daemon, and on no node", one.id));
    }
    let change = plan(state, name, None);
    (change != Change::default()).then(|| format!("{name}: is not on every node that can be: {change:?}"))
}
