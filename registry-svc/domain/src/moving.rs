//! Instances that have to leave their node: it is being drained, or their
//! process asks for other nodes by now. One at a time leaves as long as its
//! process goes on serving and there is a place for it; there is never a
//! second copy, as it goes elsewhere when its node has said that it ended.
//!
//! ```text
//! has to leave ─ others serve, a place is there, or the deadline is over ─▶ moving: stopped by its node
//!              ─ node says that it is gone ─▶ waiting for a node ─▶ placed as any other
//! ```
//! Looked at again whenever a report, a placement or a node changes something.

mod hold;

pub(crate) use hold::{Hold, holds};

use crate::draft::Draft;
use crate::placement::{self, Scope};
use crate::{Cause, Instance, Moving, NodeState, State, drains, runs};
use process_model::{InstanceId, Phase, Plan, ProcessName, ProcessSpec, event_type};
use std::collections::{BTreeMap, BTreeSet};

/// Lets go what can go by now.
pub(crate) fn advance(draft: &mut Draft<'_>) {
    let index = &draft.state().index;
    if (index.draining().is_empty() && index.unfit().is_empty()) || !draft.state().meta().mode.acts() {
        return;
    }
    let verdicts = hold::verdicts(draft.state());
    for (id, verdict) in verdicts {
        if let Ok(cause) = verdict {
            leave(draft, &id, cause);
        }
    }
    drains::finish(draft);
}

fn leave(draft: &mut Draft<'_>, id: &InstanceId, cause: Cause) {
    // Its node says all that it did before it says that the instance is gone.
    runs::keep_plan(draft, id, true);
    draft.change_instance(id, |instance| {
        instance.moving = Some(Moving { wanted: instance.wanted, cause });
        instance.wanted = false;
        instance.removing = true;
        instance.unfit = false;
    });
    let why = cause.as_str();
    draft.emit_instance(event_type::INSTANCE_MOVING, id, format!("instance {id} leaves its node: {why}"));
}

/// An instance leaves a node that is given up.
pub(crate) fn let_go(draft: &mut Draft<'_>, id: &InstanceId, again: bool) {
    runs::keep_plan(draft, id, false);
    draft.change_instance(id, |instance| {
        let wanted = instance.moving.as_ref().map_or(instance.wanted, |moving| moving.wanted);
        // What is being removed for good stays so.
        if !instance.removing || instance.moving.is_some() {
            instance.moving = Some(Moving { wanted: wanted && again, cause: Cause::Removed });
        }
    });
}

/// The instance that takes the place of one that has left its node.
pub(crate) fn successor(state: &State, left: &Instance, fresh: Instance) -> Instance {
    match &left.moving {
        Some(moving) => Instance {
            wanted: moving.wanted,
            // A run may have begun after it was to leave.
            plan: state.plan_of(left).map(|plan| Plan { certain: moving.cause != Cause::Removed, ..plan }),
            restart_count: left.restart_count,
            traceparent: left.traceparent.clone(),
            ..fresh
        },
        None => fresh,
    }
}

/// A node has changed, or what is on it: who had to leave it may stay now.
pub(crate) fn reconsider(draft: &mut Draft<'_>, scope: Scope<'_>) {
    let state = draft.state();
    let unfit = state.index.unfit().iter().filter_map(|id| state.instances().get(id));
    let processes: BTreeSet<ProcessName> = match scope {
        Scope::Everything => unfit.map(|one| one.id.process.clone()).collect(),
        Scope::Node(node) => {
            unfit.filter(|one| one.node.as_ref() == Some(node)).map(|one| one.id.process.clone()).collect()
        }
        // Its own change was looked at when it was made.
        Scope::Processes(_) => return,
    };
    for process in processes {
        look_again(draft, &process);
    }
}

/// A process asks for other nodes than before: which of its instances are
/// where they cannot be?
pub(crate) fn look_again(draft: &mut Draft<'_>, process: &ProcessName) {
    let state = draft.state();
    let Some(stored) = state.processes().get(process) else { return };
    let Some(asked) = placement::Asked::of(state, process, None) else { return };
    let constraints = placement::compiled(&asked.placement.constraints);
    let reserve = placement::reserve(&stored.spec);
    // What leaves makes room for what stays: the highest numbers leave.
    let mut own: BTreeMap<_, u32> = BTreeMap::new();
    let mut used: BTreeMap<_, (u64, u64)> = BTreeMap::new();
    let mut verdicts = Vec::new();
    for instance in state.instances_of(process).filter(|one| !one.removing) {
        let Some(node) = instance.node.as_ref().and_then(|name| state.nodes().get(name)) else {
            verdicts.push((instance.id.clone(), false));
            continue;
        };
        let there = own.entry(&node.name).or_default();
        *there += 1;
        let too_many = asked.placement.max_per_node.is_some_and(|most| *there > most);
        let others = || others_reserve(state, process, node);
        let (cpu, memory) = used.entry(&node.name).or_insert_with(others);
        *cpu += u64::from(reserve.cpu_millis);
        *memory += reserve.memory;
        let takes_something = reserve.cpu_millis > 0 || reserve.memory > 0;
        let too_full = takes_something && (*cpu > u64::from(node.cpus) * 1_000 || *memory > node.memory_bytes);
        let elsewhere = placement::constraint(&constraints, node).is_some() || asked.is_apart_from(&node.name);
        // A daemon has no choice: it stays, or goes for good.
        let unfit = !asked.placement.daemon && (elsewhere || too_many || too_full);
        if unfit {
            *there -= 1;
            *cpu -= u64::from(reserve.cpu_millis);
            *memory -= reserve.memory;
        }
        verdicts.push((instance.id.clone(), unfit));
    }
    for (id, unfit) in verdicts {
        if draft.state().instances().get(&id).is_some_and(|one| one.unfit != unfit || one.reserved != reserve) {
            draft.change_instance(&id, |instance| {
                instance.unfit = unfit;
                instance.reserved = reserve;
            });
        }
    }
}

/// What is reserved on a node by all but one process.
fn others_reserve(state: &State, process: &ProcessName, node: &crate::Node) -> (u64, u64) {
    let others = state.instances_on(&node.name).filter(|one| one.id.process != *process || one.removing);
    others.fold((0, 0), |(cpu, memory), one| (cpu + u64::from(one.reserved.cpu_millis), memory + one.reserved.memory))
}

/// Whether an instance has done what it was for. Elsewhere it would do it a
/// second time, and nothing of it runs here.
pub(crate) fn is_over(spec: &ProcessSpec, instance: &Instance) -> bool {
    is_over_in(spec, instance, instance.phase())
}

/// The same of an instance that was last seen in this phase.
pub(crate) fn is_over_in(spec: &ProcessSpec, instance: &Instance, phase: Phase) -> bool {
    if !instance.wanted || instance.removing || spec.schedule.is_some() {
        return false;
    }
    match phase {
        Phase::Exited => true,
        Phase::Failed => spec.runs_to_an_end(),
        Phase::Pending
        | Phase::Starting
        | Phase::Running
        | Phase::Backoff
        | Phase::Stopping
        | Phase::Stopped
        | Phase::Lost => false,
    }
}

/// Whether an instance serves.
fn is_available(instance: &Instance) -> bool {
    instance.wanted && !instance.removing && instance.node.is_some() && instance.is_ready()
}

/// Whether its node can be asked to end it.
fn can_be_told(state: &State, instance: &Instance) -> bool {
    let node = instance.node.as_ref().and_then(|name| state.nodes().get(name));
    node.is_some_and(|node| node.state == NodeState::Ready)
}
