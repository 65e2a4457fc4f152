//! Specs become processes and instances. All of a request or nothing of it.

use crate::audit::{Account, Subject};
use crate::command::Apply;
use crate::decided::Decided;
use crate::draft::{Draft, Fact};
use crate::reply::{Applied, ApplyOutcome, Reply};
use crate::{Instance, Process, Refusal, State, history, limits, placement, retire};
use process_model::{InstanceId, NodeName, ProcessName, ProcessSpec, Timestamp, event_type};
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
    let deletion = state.audit.get(&state.history.lineage(name)?.deleted?)?;
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
        .map(|spec| (spec.instances as usize).saturating_sub(state.instances_of(&spec.name).count()))
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
}

impl Why {
    fn command(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Rollback(_) => "rollback",
        }
    }

    fn restored(self) -> Option<u64> {
        match self {
            Self::Apply => None,
            Self::Rollback(generation) => Some(generation),
        }
    }
}

pub(crate) fn apply(draft: &mut Draft<'_>, order: &Apply) -> Result<Decided, Refusal> {
    carry_out(draft, order, Why::Apply)
}

pub(crate) fn carry_out(draft: &mut Draft<'_>, order: &Apply, why: Why) -> Result<Decided, Refusal> {
    let results = check(draft.state(), order)?;
    let mut account = Account::default();
    for (spec, result) in order.specs.iter().zip(&results) {
        match result.outcome {
            ApplyOutcome::Created => create(draft, spec, order, why, &mut account),
            ApplyOutcome::Updated => update(draft, spec, order, why, &mut account),
            ApplyOutcome::Unchanged => adopt_source(draft, &spec.name, &order.source),
            // Comes after the specs in the results, never beside one.
            ApplyOutcome::Pruned => {}
        }
    }
    for result in results.iter().filter(|r| r.outcome == ApplyOutcome::Pruned) {
        history::end(draft, &result.name, &mut account);
        retire::process(draft, &result.name, &format!("process {} is no longer in its source", result.name));
    }
    placement::place(draft);
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
    };
    history::note(draft, &process, why.restored(), account);
    draft.put_process(process);
    emit(draft, event_type::PROCESS_CREATED, spec, "created");
    scale(draft, spec, generation, true, &order.traceparent);
}

fn update(draft: &mut Draft<'_>, spec: &Arc<ProcessSpec>, order: &Apply, why: Why, account: &mut Account) {
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
    };
    history::note(draft, &process, why.restored(), account);
    draft.put_process(process);
    emit(draft, event_type::PROCESS_UPDATED, spec, "changed");
    scale(draft, spec, generation, reassign, &order.traceparent);
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
    let now = draft.header.time;
    for index in 1..=spec.instances {
        let id = InstanceId::new(spec.name.clone(), index);
        match draft.state().instances().get(&id).map(|i| i.removing) {
            None => {
                let instance = draft.state().taking_over(Instance::new(id, generation, spec.autostart, now));
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
    let surplus: Vec<InstanceId> = (draft.state().instances_of(&spec.name))
        .filter(|i| i.id.index > spec.instances && !i.removing)
        .map(|i| i.id.clone())
        .collect();
    for id in surplus {
        retire::instance(draft, &id);
    }
}

/// A node has let go of an instance. Its process may want it again by now.
pub(crate) fn wanted_again(draft: &mut Draft<'_>, id: &InstanceId, node: &NodeName, seq: u64) {
    let process = draft.state().processes.get(&id.process).filter(|p| (1..=p.spec.instances).contains(&id.index));
    let Some((generation, autostart)) = process.map(|p| (p.generation, p.spec.autostart)) else { return };
    draft.put_instance(Instance::new(id.clone(), generation, autostart, draft.header.time));
    placement::place(draft);
    // That node repeats what was not acknowledged, and counts its reports for ever; another one counts its own.
    draft.change_instance(id, |instance| {
        if instance.node.as_ref() == Some(node) {
            instance.seen.seq = seq;
        }
    });
}
