//! What an instance keeps of its turn in a rollout: what was seen before it
//! says nothing of what came after.

use super::Rollout;
use crate::Instance;
use process_model::change::Taking;
use process_model::{Phase, RolloutCause, Timestamp};
use serde::{Deserialize, Serialize};

/// How an instance came to what a rollout brings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Handover {
    /// The rollout.
    pub rollout: u64,
    /// When, by the time of the command.
    pub at: Timestamp,
    /// Whether it starts its program anew for it.
    pub restarts: bool,
    /// Whether it takes it in while its program goes on.
    pub in_place: bool,
    /// Whether the rollout waits for it. Not for one that did not serve before
    /// and is not started anew: it may never.
    pub gated: bool,
    /// The generation that its node has to say before what it says counts;
    /// `None`: it is the run that has to be another.
    pub generation: Option<u64>,
    /// When the run of before it began.
    pub started: Option<Timestamp>,
    /// Number of the last report of before it.
    pub seq: u64,
}

impl Handover {
    /// The turn of an instance as it is now; `generation`: what it is given.
    pub(super) fn now(rollout: &Rollout, instance: &Instance, generation: u64, taking: Taking, at: Timestamp) -> Self {
        // The restart of the turn before has yet to be seen: it is owed still, whatever this one takes.
        let owed = instance.handover.as_ref().filter(|_| !is_fresh(instance));
        let (restarts, in_place) = match taking {
            Taking::Restart => (true, false),
            Taking::InPlace => (owed.is_some(), owed.is_none()),
            Taking::Same => (owed.is_some(), false),
        };
        Self {
            rollout: rollout.id,
            at,
            restarts,
            in_place,
            gated: restarts || serves(instance),
            generation: (rollout.cause != RolloutCause::Restart).then_some(generation),
            started: owed.map_or(instance.seen.started, |one| one.started),
            seq: instance.seen.seq,
        }
    }

    /// The turn of an instance that is made with what the rollout brings.
    pub(crate) fn born(rollout: u64, at: Timestamp) -> Self {
        Self { rollout, at, restarts: false, in_place: false, gated: true, generation: None, started: None, seq: 0 }
    }
}

/// Whether an instance serves, as far as anybody knows.
pub(super) fn serves(instance: &Instance) -> bool {
    instance.wanted
        && !instance.removing
        && instance.phase() == Phase::Running
        && instance.is_ready()
        && is_fresh(instance)
}

/// Whether an instance has had its turn.
pub(super) fn is_updated(rollout: &Rollout, instance: &Instance) -> bool {
    match rollout.cause {
        RolloutCause::Restart => instance.handover.as_ref().is_some_and(|one| one.rollout == rollout.id),
        RolloutCause::Change | RolloutCause::Rollback | RolloutCause::Revert { .. } => {
            !rollout.is_behind(instance.generation)
        }
    }
}

/// Whether what was last seen of an instance is of after its last turn.
pub(crate) fn is_fresh(instance: &Instance) -> bool {
    let Some(handover) = instance.handover.as_ref().filter(|one| one.restarts) else { return true };
    let seen = &instance.seen;
    match handover.generation.filter(|_| seen.generation > 0) {
        Some(generation) => seen.generation >= generation,
        // Its node does not say which generation it runs, or it is the same: then by the run.
        None => seen.started != handover.started,
    }
}

/// Whether an instance was given up after its turn.
pub(super) fn has_failed(rollout: &Rollout, instance: &Instance) -> bool {
    let handover = instance.handover.as_ref().filter(|one| one.rollout == rollout.id);
    let later = handover.is_none_or(|one| instance.seen.seq > one.seq);
    // A restart that could not even begin is no other run: any later word counts.
    let of_it = rollout.cause == RolloutCause::Restart || is_fresh(instance);
    instance.phase() == Phase::Failed && later && of_it
}

/// When an instance that had its turn counts; `None`: it does not serve.
/// `min_ready` is yet to be added.
pub(super) fn serves_since(rollout: &Rollout, instance: &Instance) -> Option<Timestamp> {
    if !serves(instance) {
        return None;
    }
    let handover = instance.handover.as_ref().filter(|one| one.rollout == rollout.id);
    // What was ready before levels knew of this has been for long.
    let ready = instance.seen.ready_since.unwrap_or(instance.seen.phase_time);
    // What it took in while it ran is on trial from then on.
    Some(handover.filter(|one| one.in_place).map_or(ready, |one| ready.max(one.at)))
}

/// Whether an instance has done what it is for: it ran to its end.
pub(super) fn is_done(instance: &Instance) -> bool {
    instance.phase() == Phase::Exited && is_fresh(instance)
}
