//! What holds in every state that commands can lead to. Written once; the
//! property tests and simulations ask for it after each step.

use crate::index::{Index, Spot, Turn};
use crate::{State, daemons, dedupe, limits, placement};
use std::collections::BTreeSet;

/// Everything that is wrong with a state; nothing, unless the registry has a
/// fault.
#[must_use]
pub fn broken(state: &State) -> Vec<String> {
    let mut faults = Vec::new();
    instances(state, &mut faults);
    numbers(state, &mut faults);
    actions(state, &mut faults);
    index(state, &mut faults);
    bounds(state, &mut faults);
    crate::members::broken(state, &mut faults);
    crate::invitations::broken(state, &mut faults);
    faults.extend(crate::runs::broken(state));
    state.broken_history(&mut faults);
    faults
}

fn instances(state: &State, faults: &mut Vec<String>) {
    for (id, instance) in &state.instances {
        let process = state.processes.get(&id.process);
        let is_daemon = process.is_some_and(|p| placement::of(&p.spec).daemon);
        let wanted = is_daemon
            || process.is_some_and(|p| (1..=p.spec.instances).contains(&id.index) || p.active_rollout().is_some());
        if !instance.removing && process.is_some_and(|p| placement::reserve(&p.spec) != instance.reserved) {
            faults.push(format!("{id}: reserves {:?}, its process something else", instance.reserved));
        }
        if instance.moving.is_some() && !instance.removing || instance.unfit && instance.removing {
            faults.push(format!("{id}: moves without being removed, or has yet to move and is removed"));
        }
        // Wanted again while it goes, it goes all the same; another one takes its place then.
        if !wanted && !instance.removing {
            faults.push(format!("{id}: its process does not want it, and it is not being removed"));
        }
        if instance.id != *id {
            faults.push(format!("{id}: stands under another id, {}", instance.id));
        }
        if instance.removing && (instance.wanted || instance.node.is_none()) {
            faults.push(format!("{id}: being removed, and wanted or not on any node"));
        }
        if let Some(node) = instance.node.as_ref().filter(|n| !state.nodes.contains_key(n)) {
            faults.push(format!("{id}: on node {node}, which nobody knows"));
        }
        if instance.lost_since.is_some() && instance.node.is_none() {
            faults.push(format!("{id}: lost without a node"));
        }
    }
    for (name, process) in &state.processes {
        if placement::of(&process.spec).daemon {
            faults.extend(daemons::broken(state, name));
            continue;
        }
        // While it is rolled out, there may be instances beyond the number.
        let exact = process.active_rollout().is_none();
        let indexes: BTreeSet<u32> = (state.instances_of(name))
            .filter(|i| i.id.index <= process.spec.instances || exact && !i.removing)
            .map(|i| i.id.index)
            .collect();
        if indexes != (1..=process.spec.instances).collect() {
            faults.push(format!("{name}: {} instances asked for, there are {indexes:?}", process.spec.instances));
        }
    }
    if !placement::plan(state).is_empty() {
        faults.push("instances wait for a node although one can take them".to_owned());
    }
}

fn numbers(state: &State, faults: &mut Vec<String>) {
    // A restore leaves a gap, which nobody can go on from before.
    let cut = state.meta.cut;
    let numbers = || state.events.iter().map(|(revision, _)| revision);
    let gap = numbers().zip(numbers().skip(1)).any(|(a, b)| a + 1 != b && b > cut + 1);
    let newest = state.events.last().map(|(revision, _)| revision);
    if gap || newest.is_some_and(|revision| revision != state.meta.revision) {
        faults.push(format!("events have a gap or end at {newest:?}, the revision is {}", state.meta.revision));
    }
    if state.audit.last().is_some_and(|(number, _)| number != state.meta.audited) {
        faults.push("the newest audit entry is not the last one counted".to_owned());
    }
    let indexed = state.replies.values().map(|reply| (dedupe::hash(&reply.request_id), reply.number));
    if state.reply_by_request != indexed.collect() {
        faults.push("replies and their index differ".to_owned());
    }
}

fn actions(state: &State, faults: &mut Vec<String>) {
    for (number, action) in &state.actions {
        if crate::action_number(&action.id) != Some(*number) {
            faults.push(format!("{}: stands under another number, {number}", action.id));
        }
        let Some(id) = action.target.instance() else { continue };
        let instance = state.instances.get(id);
        if !action.state.is_final() && instance.is_none_or(|i| i.node != action.node) {
            faults.push(format!("{}: open, and its instance is gone or elsewhere", action.id));
        }
    }
}

/// What is found quickly is what a look through everything finds.
fn index(state: &State, faults: &mut Vec<String>) {
    let mut scanned = Index::default();
    state.nodes.iter().for_each(|(name, node)| scanned.node(name, None, Some(node)));
    state.processes.iter().for_each(|(name, process)| scanned.process(name, None, Some(process)));
    state.instances.iter().for_each(|(id, instance)| scanned.instance(id, None, Some(Spot::from(&**instance))));
    state.actions.iter().for_each(|(number, action)| scanned.action(*number, None, Some(Turn::from(&**action))));
    if scanned != state.index {
        faults.push(format!("the index is {:?}, a look through everything finds {scanned:?}", state.index));
    }
}

fn bounds(state: &State, faults: &mut Vec<String>) {
    for (what, count, limit) in [
        ("processes", state.processes.len(), limits::PROCESSES),
        ("instances", state.instances.len(), limits::INSTANCES),
        ("finished actions", state.actions.len() - state.index.open_count(), limits::FINISHED_ACTIONS),
        ("audit entries", state.audit.len(), usize::try_from(state.meta.retention.audit_entries).unwrap_or(usize::MAX)),
        ("replies", state.replies.len(), limits::STORED_REPLIES),
        ("events", state.events.len(), usize::try_from(state.meta.event_retention).unwrap_or(usize::MAX)),
    ] {
        if count > limit {
            faults.push(format!("{count} {what} are kept, the limit is {limit}"));
        }
    }
}
