//! Brings an earlier spec of a process back, as a new generation: history is
//! only added to. A deleted process is made again.

use crate::apply::{self, Why};
use crate::command::{Apply, Rollback};
use crate::decided::Decided;
use crate::draft::Draft;
use crate::{Refusal, State, selection};
use process_model::ProcessName;
use std::collections::BTreeMap;

pub(crate) fn rollback(draft: &mut Draft<'_>, order: &Rollback) -> Result<Decided, Refusal> {
    let name = &order.process;
    let state = draft.state();
    let to = match order.to {
        Some(to) => to,
        None => previous(state, name)?,
    };
    let generation = state.generation(name, to).ok_or_else(|| not_kept(state, name, to))?;
    let process = state.processes().get(name);
    let apply = Apply {
        specs: vec![generation.spec.clone()],
        source: process.map_or_else(|| generation.origin.clone(), |process| process.source.clone()),
        generations: order.expected.map(|expected| (name.to_string(), expected)).into_iter().collect(),
        traceparent: order.traceparent.clone(),
        prune: false,
        etags: BTreeMap::new(),
    };
    apply::carry_out(draft, &apply, Why::Rollback(to))
}

/// The generation before the one that the process has; of a deleted one, the
/// last.
fn previous(state: &State, name: &ProcessName) -> Result<u64, Refusal> {
    let current = state.processes().get(name).map(|process| process.generation);
    let kept = state.generations(name);
    let before = kept.iter().rev().map(|one| one.generation).find(|one| current.is_none_or(|current| *one < current));
    before.ok_or_else(|| not_kept(state, name, current.unwrap_or(1).saturating_sub(1)))
}

fn not_kept(state: &State, name: &ProcessName, wanted: u64) -> Refusal {
    let kept = state.generations(name);
    match (kept.first(), kept.last()) {
        (Some(oldest), Some(newest)) => Refusal::NoGeneration {
            process: name.to_string(),
            wanted,
            oldest: oldest.generation,
            newest: newest.generation,
        },
        (_, _) => selection::no_process(state, name.as_str()),
    }
}
