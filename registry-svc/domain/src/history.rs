//! Every spec that a process has had, each under its generation. Outlives the
//! process: what was deleted by mistake can be looked at and brought back, for
//! as long as the audit entry of its deletion is kept. Generation numbers
//! never come twice for one name: a process that is made again goes on
//! counting, and once a history is dropped, names without one begin above it.
//!
//! Enters: changes of specs from `apply`, `delete` and `rollback`; the number
//! of the oldest audit entry that is kept. Leaves: rows, one small one for
//! each generation.

mod generation;
mod kept;
mod line;
mod view;

pub use generation::{Generation, Lineage};
pub use kept::History;

use crate::audit::Account;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Process, Stage, State, retention};
use process_model::change::changes;
use process_model::{ProcessName, ProcessSpec};
use std::collections::BTreeSet;
use std::sync::Arc;

/// The number of the first generation of a process that is made now.
pub(crate) fn first_generation(state: &State, name: &ProcessName) -> u64 {
    let last = state.history.lineage(name).map_or(state.meta.generation_floor, |lineage| lineage.last);
    // Instances of a deleted process of this name may still be ending; the new
    // one goes on counting, so that their runner sees a newer generation.
    let running = state.instances_of(name).map(|instance| instance.generation).max().unwrap_or(0);
    last.max(running).max(state.seen_generation(name)) + 1
}

/// Notes the spec that a process has from now on.
pub(crate) fn note(draft: &mut Draft<'_>, process: &Process, restored: Option<u64>, account: &mut Account) {
    let name = &process.spec.name;
    let generation = Generation {
        actor: draft.header.actor.clone(),
        reason: draft.header.reason.clone(),
        source: crate::audit::source(&draft.header),
        restored,
        ..Generation::of(process)
    };
    let before = draft.state().history.current(name).cloned();
    let from = before.as_ref().map_or(0, |before| before.generation);
    account.step(name, from, generation.generation);
    if let Some(before) = before {
        account.changed(name, changes(Some(&before.spec), &generation.spec));
    }
    put(draft, generation);
    bound(draft, name);
}

/// A process of a state that knew no generations gets the one that it has.
pub(crate) fn adopt(draft: &mut Draft<'_>, name: &ProcessName) {
    if draft.state().history.lineage(name).is_some() {
        return;
    }
    if let Some(process) = draft.state().processes.get(name) {
        let generation = Generation::of(process);
        put(draft, generation);
    }
}

/// Tells the account that a process goes.
pub(crate) fn end(draft: &mut Draft<'_>, name: &ProcessName, account: &mut Account) {
    adopt(draft, name);
    let last = draft.state().history.lineage(name).map_or(0, |lineage| lineage.last);
    account.step(name, last, 0);
}

/// Processes were deleted by the request with this audit entry.
pub(crate) fn close(draft: &mut Draft<'_>, deleted: &[ProcessName], audit: u64) {
    for name in deleted {
        let Some(lineage) = draft.state().history.lineage(name).cloned() else { continue };
        let lineage = Lineage { deleted: Some(audit), ..Lineage::clone(&lineage) };
        draft.touch(RowKey::Lineage(name.clone())).history.load_lineage(lineage.into());
    }
    drop_oldest(draft);
}

/// The audit entries up to this one are gone, and with them the histories of
/// processes that were deleted by then.
pub(crate) fn forget(draft: &mut Draft<'_>, audit: u64) {
    while let Some(name) = draft.state().history.retired_by(audit).cloned() {
        while let Some(generation) = draft.state().history.oldest(&name).map(|one| one.generation) {
            remove(draft, &name, generation);
        }
        let state = draft.touch(RowKey::Lineage(name.clone()));
        let last = state.history.remove_lineage(&name);
        state.meta.generation_floor = state.meta.generation_floor.max(last);
        draft.touch(RowKey::Meta);
    }
}

/// Applies the policy to every process, when it has changed.
pub(crate) fn bound_all(draft: &mut Draft<'_>) {
    let names: Vec<ProcessName> = draft.state().history.lineages().map(|lineage| lineage.process.clone()).collect();
    for name in names {
        bound(draft, &name);
    }
}

/// The spec of a generation, if it is kept.
pub(crate) fn kept(state: &State, name: &ProcessName, generation: u64) -> Option<Arc<ProcessSpec>> {
    state.history.get(name, generation).map(|one| one.spec.clone())
}

/// Whether instances of a process may have other generations than its last.
fn is_settled(process: &Process) -> bool {
    process.rollout.as_ref().is_none_or(|rollout| rollout.stage == Stage::Succeeded)
}

/// Generations that are kept whatever their age: an instance has one, or may
/// have to go back to it.
fn pinned(state: &State, name: &ProcessName) -> BTreeSet<u64> {
    let Some(process) = state.processes.get(name).filter(|process| !is_settled(process)) else {
        return BTreeSet::new();
    };
    let named = process.rollout.iter().flat_map(|rollout| [rollout.from, rollout.to]);
    state.instances_of(name).map(|instance| instance.generation).chain(named).collect()
}

/// Forgets what is beyond the bounds: what was kept for a rollout alone, too,
/// once that is over.
pub(crate) fn bound(draft: &mut Draft<'_>, name: &ProcessName) {
    let kept = draft.state().meta.retention.generations;
    let Some(last) = draft.state().history.lineage(name).map(|lineage| lineage.last) else { return };
    let pinned = pinned(draft.state(), name);
    let over = |generation: &u64| generation.saturating_add(kept) <= last;
    let over: Vec<u64> = draft.state().history.of(name).map(|one| one.generation).take_while(over).collect();
    for generation in over.into_iter().filter(|generation| !pinned.contains(generation)) {
        remove(draft, name, generation);
    }
    drop_oldest(draft);
}

fn drop_oldest(draft: &mut Draft<'_>) {
    while draft.state().history.count_past() > retention::PAST_GENERATIONS {
        let state = draft.state();
        let free = |(name, generation): &&(ProcessName, u64)| !pinned(state, name).contains(generation);
        let Some((name, generation)) = state.history.past().find(free).cloned() else { return };
        remove(draft, &name, generation);
    }
}

fn put(draft: &mut Draft<'_>, generation: Generation) {
    let name = generation.process.clone();
    let lineage = Lineage { process: name.clone(), last: generation.generation, deleted: None };
    draft.touch(RowKey::Generation(name.clone(), generation.generation));
    draft.touch(RowKey::Lineage(name)).history.advance(generation.into(), lineage.into());
}

fn remove(draft: &mut Draft<'_>, name: &ProcessName, generation: u64) {
    let key = RowKey::Generation(name.clone(), generation);
    draft.touch(key).history.remove_generation(name, generation);
}
