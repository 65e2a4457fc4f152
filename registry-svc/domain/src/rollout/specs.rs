//! Which spec an instance has: while a rollout goes on, not all have the same.

use super::{Handover, Rollout, Stage};
use crate::{Instance, Process, State, placement};
use process_model::{InstanceId, ProcessSpec, RolloutCause, Timestamp};
use std::sync::Arc;

impl State {
    /// The spec of an instance's generation; `None`: its process is no more.
    #[must_use]
    pub fn spec_of(&self, instance: &Instance) -> Option<Arc<ProcessSpec>> {
        let process = self.processes.get(&instance.id.process)?;
        let Some(rollout) = process.rollout.as_ref().filter(|one| one.is_behind(instance.generation)) else {
            // What changed since is not noticed by instances.
            return Some(process.spec.clone());
        };
        let name = &process.spec.name;
        // What is no longer kept ran like the last one that all had: else it would be kept.
        let kept = self.history.get(name, instance.generation).or_else(|| self.history.get(name, rollout.from));
        Some(kept.map_or_else(|| process.spec.clone(), |one| one.spec.clone()))
    }
}

/// An instance that is made now, of those that were asked for. While a change
/// is on trial, or was given up, it does not come to more of them.
pub(crate) fn for_new(state: &State, process: &Process, id: InstanceId, now: Timestamp) -> Instance {
    let rollout = process.rollout.as_deref();
    let before = rollout.filter(|one| is_on_trial(process, one)).map(|one| one.from);
    let before = before.filter(|from| state.history.get(&process.spec.name, *from).is_some());
    match before {
        Some(from) => fresh(process, id, from, process.spec.autostart, now),
        None => with_turn(process, fresh(process, id, process.generation, process.spec.autostart, now)),
    }
}

/// An instance beyond the number.
pub(crate) fn for_surge(process: &Process, id: InstanceId, now: Timestamp) -> Instance {
    with_turn(process, fresh(process, id, process.generation, true, now))
}

fn fresh(process: &Process, id: InstanceId, generation: u64, wanted: bool, now: Timestamp) -> Instance {
    // What is reserved is by the newest spec, so that nothing has to be moved when its turn comes.
    Instance { reserved: placement::reserve(&process.spec), ..Instance::new(id, generation, wanted, now) }
}

fn with_turn(process: &Process, instance: Instance) -> Instance {
    let now = instance.seen.phase_time;
    let handover = process.active_rollout().map(|one| Handover::born(one.id, now));
    Instance { handover, ..instance }
}

fn is_on_trial(process: &Process, rollout: &Rollout) -> bool {
    match (rollout.cause, &rollout.stage) {
        (RolloutCause::Restart, _) | (_, Stage::Succeeded) => false,
        (_, Stage::Failed { .. } | Stage::Paused | Stage::Awaiting) => true,
        (RolloutCause::Change | RolloutCause::Rollback | RolloutCause::Revert { .. }, Stage::Progressing) => {
            let canaries = process.spec.update.as_ref().is_some_and(|update| update.canary > 0);
            canaries && !rollout.promoted
        }
    }
}
