//! Specs become processes and instances. All of a request or nothing of it.

use crate::audit::{Account, Subject};
use crate::command::Apply;
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::placement::{self, Scope};
use crate::reply::{Applied, ApplyOutcome, Reply};
use crate::{Instance, Process, Refusal, State, daemons, history, limits, moving, retire, rollout, runs};
use process_model::{InstanceId, NodeName, ProcessName, ProcessSpec, RolloutCause, Timestamp, event_type};
use std::collections::BTreeSet;
use std::sync::Arc;

/// What applying would do, without doing it.
///
/// # Errors
/// Why it would be refused.
pub fn check(state: &State, order: &Apply) -> Result<Vec<Applied>, Refusal> {
    let mut names: BTreeSet<&ProcessName> = BTreeSet::new();
    for spec in &order.specs {
        if !names.insert(&spec.name) {
            return Err(Refusal::DuplicateName(spec.name.clone()));
        }
    }
    if order.prune && order.source.is_empty() {
        return Err(Refusal::PruneWithoutSource);
    }
    for (name, expected) in &order.etags {
        let actual = name.parse().ok().and_then(|n: ProcessName| state.processes.get(&n)).map(|p| p.etag());
        if actual.as_deref().unwrap_or_default() != expected {
            let (process, expected, actual) = (name.clone(), expected.clone(), actual.unwrap_or_default());
            return Err(Refusal::EtagMismatch { process, expected, actual });
        }
    }
    check_generations(state, order)?;
    let mut results: Vec<Applied> =
        order.specs.iter().map(|spec| Applied { name: spec.name.clone(), outcome: outcome(state, spec) }).collect();
    if order.prune {
        let stale = state.processes.values().filter(|p| p.source == order.source && !names.contains(&p.spec.name));
        results.extend(stale.map(|p| Applied { name: p.spec.name.clone(), outcome: ApplyOutcome::Pruned }));
    }
    check_room(state, order, &results)?;
    Ok(results)
}

/// The caller has seen these generations; who comes later is told who was
/// first.
fn check_generations(state: &State, order: &Apply) -> Result<(), Refusal> {
    for (name, expected) in &order.generations {
        let known: Option<ProcessName> = name.parse().ok();
        let actual = known.as_ref().and_then(|name| state.processes.get(name)).map_or(0, |p| p.generation);
        if actual == *expected {
            continue;
        }
        let change = known.and_then(|name| last_change(state, &name, actual));
        let (actor, time) = change.map_or((String::new(), None), |(actor, time)| (actor, Some(time)));
        let (process, expected) = (name.clone(), *expected);
        return Err(Refusal::GenerationMismatch { process, expected, actual, actor, time });
    }
    Ok(())
}

/// Who made a process as it is, or deleted it, and when.
fn last_change(state: &State, name: &ProcessName, actual: u64) -> Option<(String, Timestamp)> {
    if actual > 0 {
        return state.generation(name, actual).map(|one| (one.actor.clone(), one.time));
    }
    let deletion = state.audit.get(state.history.lineage(name)?.deleted?)?;
    Some((deletion.actor.clone(), deletion.time))
}

fn outcome(state: &State, spec: &ProcessSpec) -> ApplyOutcome {
    match state.processes.get(&spec.name) {
        None => ApplyOutcome::Created,
        Some(process) if *process.spec == *spec => ApplyOutcome::Unchanged,
        Some(_) => ApplyOutcome::Updated,
    }
}

fn check_room(state: &State, order: &Apply, results: &[Applied]) -> Result<(), Refusal> {
    let created = results.iter().filter(|r| r.outcome == ApplyOutcome::Created).count();
    let processes = state.processes.len() + created;
    if processes > limits::PROCESSES {
        return Err(too_many("processes", processes, limits::PROCESSES));
    }
    // Counts what an instance that is being removed still takes, too: its row
    // stays until its node has answered.
    let more: usize = order
        .specs
        .iter()
        .map(|spec| {
            let wanted = if placement::of(spec).daemon { state.nodes.len() } else { spec.instances as usize };
            wanted.saturating_sub(state.instances_of(&spec.name).count())
        })
        .sum();
    let instances = state.instances.len() + more;
    if instances > limits::INSTANCES {
        return Err(too_many("instances", instances, limits::INSTANCES));
    }
    Ok(())
}

fn too_many(what: &str, got: usize, limit: usize) -> Refusal {
    Refusal::TooMany { what: what.to_owned(), got: got as u64, limit: limit as u64 }
}

/// What is behind a new spec.
#[derive(Clone, Copy)]
pub(crate) enum Why {
    /// A request to apply it.
    Apply,
    /// A request to bring back this generation.
    Rollback(u64),
    /// A request to have another number of instances.
    Scale,
    /// The registry takes a change back that failed.
    Revert {
        /// To what this generation was.
        to: u64,
        /// The generation that failed.
        failed: u64,
    },
}

impl Why {
    fn command(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback(_) => "rollback",
            Self::Scale => "scale",
            Self::Revert { .. } => "revert",
        }
    }

    fn restored(self) -> Option<u64> {
        match self {
            Self::Apply | Self::Scale => None,
            Self::Rollback(generation) | Self::Revert { to: generation, .. } => Some(generation),
        }
    }

    fn cause(self) -> RolloutCause {
        match self {
            Self::Apply | Self::Scale => RolloutCause::Change,
            Self::Rollback(_) => RolloutCause::Rollback,
            Self::Revert { failed, .. } => RolloutCause::Revert { failed },
        }
    }
}

pub(crate) fn apply(draft: &mut Draft<'_>, order: &Apply) -> Result<Decided, Refusal> {
    carry_out(draft, order, Why::Apply)
}

pub(crate) fn carry_out(draft: &mut Draft<'_>, order: &Apply, why: Why) -> Result<Decided, Refusal> {
    let results = check(draft.state(), order)?;
    let mut account = Account::default();
    // Who asked for something of nodes may ask for less now, and others can go there.
    let asks = |name: &ProcessName| draft.state().processes.get(name).is_some_and(|p| p.spec.placement.is_some());
    let frees = results.iter().any(|result| result.outcome != ApplyOutcome::Unchanged && asks(&result.name));
    for (spec, result) in order.specs.iter().zip(&results) {
        match result.outcome {
            ApplyOutcome::Created => create(draft, spec, order, why, &mut account),
            ApplyOutcome::Updated => update(draft, spec, order, why, &mut account),
            ApplyOutcome::Unchanged => adopt_source(draft, &spec.name, &order.source),
            // Comes after the specs in the results, never beside one.
            ApplyOutcome::Pruned => {}
        }
    }
    let pruned: Vec<&ProcessName> =
        results.iter().filter(|r| r.outcome == ApplyOutcome::Pruned).map(|r| &r.name).collect();
    retire::processes(draft, &pruned, "is no longer in its source", &mut account);
    let names: Vec<ProcessName> = order.specs.iter().map(|spec| spec.name.clone()).collect();
    placement::settle(draft, if frees { Scope::Everything } else { Scope::Processes(&names) });
    let audit = Subject::new(why.command(), results.iter().map(|r| r.name.as_str())).with(account);
    let revision = draft.state().revision();
    Ok(Decided { reply: Reply::Applied { results, revision }, audit: Some(audit) })
}

fn create(draft: &mut Draft<'_>, spec: &Arc<ProcessSpec>, order: &Apply, why: Why, account: &mut Account) {
    let generation = history::first_generation(draft.state(), &spec.name);
    let now = draft.header.time;
    let process = Process {
        spec: spec.clone(),
        generation,
        changed: draft.next_revision(),
        source: order.source.clone(),
        created: now,
        updated: now,
        rollout: None,
    };
    history::note(draft, &process, why.restored(), account);
    draft.put_process(process);
    emit(draft, event_type::PROCESS_CREATED, spec, "created");
    scale(draft, spec, generation, true, &order.traceparent);
}

/// Gives a process another spec.
pub(crate) fn update(draft: &mut Draft<'_>, spec: &Arc<ProcessSpec>, order: &Apply, why: Why, account: &mut Account) {
    history::adopt(draft, &spec.name);
    let Some(old) = draft.state().processes.get(&spec.name).cloned() else { return };
    let generation = old.generation + 1;
    let reassign = !old.runs_like(spec);
    let process = Process {
        spec: spec.clone(),
        generation,
        changed: draft.next_revision(),
        source: order.source.clone(),
        created: old.created,
        updated: draft.header.time,
        rollout: old.rollout.clone(),
    };
    history::note(draft, &process, why.restored(), account);
    draft.put_process(process);
    emit(draft, event_type::PROCESS_UPDATED, spec, "changed");
    // Those who do not know of rollouts give it to all at once.
    let rolls = draft.state().meta().level() >= 3;
    if rolls && reassign {
        rollout::begin(draft, &spec.name, why.cause(), old.generation, &order.traceparent);
    }
    scale(draft, spec, generation, reassign && !rolls, &order.traceparent);
    if old.spec.placement != spec.placement {
        moving::look_again(draft, &spec.name);
    }
    if rolls && old.spec.schedule != spec.schedule {
        let ids: Vec<InstanceId> = draft.state().instances_of(&spec.name).map(|one| one.id.clone()).collect();
        ids.iter().for_each(|id| runs::replan(draft, id));
    }
    rollout::advance(draft, &spec.name);
}

/// The same spec from elsewhere belongs to its new source from now on.
fn adopt_source(draft: &mut Draft<'_>, name: &ProcessName, source: &str) {
    if let Some(process) = draft.state().processes.get(name).filter(|p| p.source != source).cloned() {
        draft.put_process(Process { source: source.to_owned(), ..Process::clone(&process) });
    }
}

fn emit(draft: &mut Draft<'_>, kind: &str, spec: &ProcessSpec, what: &str) {
    draft.emit(Fact {
        kind: kind.to_owned(),
        process: Some(spec.name.clone()),
        message: format!("process {} was {what}", spec.name),
        ..Fact::default()
    });
}

/// Brings the instances of a process to the number that its spec asks for.
fn scale(draft: &mut Draft<'_>, spec: &ProcessSpec, generation: u64, reassign: bool, traceparent: &str) {
    if placement::of(spec).daemon {
        return daemons::respec(draft, &spec.name, reassign.then_some(generation), traceparent);
    }
    let now = draft.header.time;
    for index in 1..=spec.instances {
        let id = InstanceId::new(spec.name.clone(), index);
        match draft.state().instances().get(&id).map(|i| i.removing) {
            None => {
                let Some(process) = draft.state().processes.get(&spec.name) else { return };
                let instance = draft.state().taking_over(rollout::for_new(draft.state(), process, id, now));
                draft.put_instance(Instance { traceparent: traceparent.to_owned(), ..instance });
            }
            // Its node is letting go of it, and may say so late: what it says then must not be taken for the end of a
            // copy that it was given since. So there is a new one when it has said so, and not before.
            Some(true) => {}
            Some(false) if !reassign => {}
            Some(false) => {
                draft.change_instance(&id, |instance| {
                    instance.generation = generation;
                    traceparent.clone_into(&mut instance.traceparent);
                });
            }
        }
    }
    // Which of them go is the rollout's to say while one goes on: some may serve in the place of others.
    let rolls = draft.state().processes.get(&spec.name).is_some_and(|process| process.active_rollout().is_some());
    let surplus: Vec<InstanceId> = (draft.state().instances_of(&spec.name))
        .filter(|i| i.id.index > spec.instances && (i.moving.is_some() || !(i.removing || rolls)))
        .map(|i| i.id.clone())
        .collect();
    for id in surplus {
        retire::instance(draft, &id);
    }
}

/// A node has let go of an instance, or was given up. Its process may want it
/// again by now, there or elsewhere. `by`: the node, and the number of its
/// report.
pub(crate) fn wanted_again(draft: &mut Draft<'_>, left: &Instance, by: Option<(&NodeName, u64)>) {
    let id = &left.id;
    let process = draft.state().processes.get(&id.process).filter(|p| (1..=p.spec.instances).contains(&id.index));
    let Some(process) = process.filter(|p| !placement::of(&p.spec).daemon) else { return runs::forget(draft, id) };
    let fresh = rollout::for_new(draft.state(), process, id.clone(), draft.header.time);
    let instance = moving::successor(draft.state(), left, fresh);
    draft.put_instance(instance);
    placement::settle(draft, Scope::Processes(std::slice::from_ref(&id.process)));
    // That node repeats what was not acknowledged, and counts its reports for ever; another one counts its own.
    if let Some((node, seq)) = by {
        draft.change_instance(id, |instance| {
            if instance.node.as_ref() == Some(node) {
                instance.seen.seq = seq;
            }
        });
    }
}
