//! The state of one process, as the decision sees it: no more than it needs,
//! so that it can be tried on any picture.

use super::bounds::Bounds;
use super::handover::{has_failed, is_done, is_updated, serves, serves_since};
use super::{Rollout, Stage};
use crate::{Instance, Process, State, limits, placement};
use process_model::change::{Taking, taking};
use process_model::{InstanceId, ProcessSpec, RolloutCause, RolloutDetail, Timestamp};
use std::collections::{BTreeMap, BTreeSet};

/// One instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) index: u32,
    /// Beyond the number.
    pub(super) extra: bool,
    /// Should run.
    pub(super) wanted: bool,
    /// Serves now.
    pub(super) serves: bool,
    pub(super) turn: Turn,
}

/// Whether it had its turn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Turn {
    /// Not yet; what it will do.
    Waits(Taking),
    /// It has.
    Had {
        /// When it counts; `None`: it does not serve.
        counts: Option<Timestamp>,
        /// It ran to its end.
        done: bool,
        /// It is waited for.
        gated: bool,
        /// Its program goes on meanwhile.
        in_place: bool,
        /// It was given up.
        failed: bool,
    },
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Picture {
    pub(super) units: Vec<Unit>,
    /// Indexes of instances that are being removed.
    pub(super) leaving: BTreeSet<u32>,
    /// Those of them that go to another node, and do not serve meanwhile.
    pub(super) moving: u32,
    /// Instances that the cluster has room for yet.
    pub(super) free: u32,
    /// Instances that were asked for.
    pub(super) number: u32,
    pub(super) bounds: Bounds,
    pub(super) promoted: bool,
    pub(super) stage: Stage,
    pub(super) now: Timestamp,
}

impl Unit {
    /// Whether it serves, and if it had its turn has for long enough.
    pub(super) fn is_available(&self, now: Timestamp) -> bool {
        match &self.turn {
            Turn::Waits(_) => self.serves,
            Turn::Had { counts, .. } => counts.is_some_and(|at| at <= now),
        }
    }

    pub(super) fn is_updated(&self) -> bool {
        match self.turn {
            Turn::Waits(_) => false,
            Turn::Had { .. } => true,
        }
    }

    /// Whether it had its turn, and has run to its end since: it does not
    /// serve, and nobody expects it to.
    pub(super) fn is_done(&self) -> bool {
        match self.turn {
            Turn::Waits(_) => false,
            Turn::Had { done, .. } => done,
        }
    }

    /// Whether it had its turn, and is what it should be.
    pub(super) fn is_proven(&self, now: Timestamp) -> bool {
        self.wanted && self.is_updated() && (self.is_done() || self.is_available(now))
    }

    /// Whether nothing of it is waited for.
    pub(super) fn is_settled(&self, now: Timestamp) -> bool {
        match self.turn {
            Turn::Waits(_) => false,
            Turn::Had { gated, .. } => !self.wanted || !gated || self.is_proven(now),
        }
    }
}

impl Picture {
    /// Of a process with a rollout.
    pub(super) fn of(state: &State, process: &Process, rollout: &Rollout, now: Timestamp) -> Self {
        let spec = &process.spec;
        let of_process = || state.instances_of(&spec.name);
        let is_extra = |id: &InstanceId| is_extra(spec, id);
        let moves = |one: &Instance| one.moving.as_ref().is_some_and(|moving| moving.wanted) && !is_extra(&one.id);
        let moving = count(of_process().filter(|one| moves(one)));
        let running = count(of_process().filter(|one| one.wanted && !one.removing && !is_extra(&one.id)));
        let bounds = Bounds::of(spec, running + moving);
        // Few generations are there at a time.
        let mut takings: BTreeMap<u64, Taking> = BTreeMap::new();
        let mut units = Vec::new();
        for instance in of_process().filter(|one| !one.removing) {
            let turn = if is_updated(rollout, instance) {
                let handover = instance.handover.as_ref().filter(|one| one.rollout == rollout.id);
                Turn::Had {
                    counts: serves_since(rollout, instance).map(|since| since.plus(bounds.min_ready)),
                    done: is_done(instance),
                    gated: bounds.gated && handover.is_none_or(|one| one.gated),
                    in_place: handover.is_some_and(|one| one.in_place),
                    failed: has_failed(rollout, instance),
                }
            } else {
                let will = *takings.entry(instance.generation).or_insert_with(|| match rollout.cause {
                    RolloutCause::Restart => Taking::Restart,
                    RolloutCause::Change | RolloutCause::Rollback | RolloutCause::Revert { .. } => {
                        state.spec_of(instance).map_or(Taking::Restart, |old| taking(&old, spec))
                    }
                });
                Turn::Waits(will)
            };
            units.push(Unit {
                index: instance.id.index,
                extra: is_extra(&instance.id),
                wanted: instance.wanted,
                serves: serves(instance),
                turn,
            });
        }
        let number =
            if placement::of(spec).daemon { u32::try_from(units.len()).unwrap_or(u32::MAX) } else { spec.instances };
        let leaving = of_process().filter(|one| one.removing).map(|one| one.id.index).collect();
        let free = u32::try_from(limits::INSTANCES.saturating_sub(state.instances.len())).unwrap_or(u32::MAX);
        Self {
            units,
            leaving,
            moving,
            free,
            number,
            bounds,
            promoted: rollout.promoted,
            stage: rollout.stage.clone(),
            now,
        }
    }

    /// Those that were asked for, and should run.
    pub(super) fn running(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|unit| unit.wanted && !unit.extra)
    }

    /// Those beyond the number.
    pub(super) fn extras(&self) -> impl Iterator<Item = &Unit> {
        self.units.iter().filter(|unit| unit.extra)
    }

    /// How many serve, all in all.
    pub(super) fn available(&self) -> u32 {
        count(self.units.iter().filter(|unit| unit.wanted && unit.is_available(self.now)))
    }

    /// So many have to serve, as far as it depends on the rollout.
    pub(super) fn floor(&self) -> u32 {
        let running = count(self.running().filter(|unit| !unit.is_done()));
        (running + self.moving).saturating_sub(self.bounds.unavailable)
    }

    /// How many that should run had their turn and serve.
    pub(super) fn proven(&self) -> u32 {
        count(self.units.iter().filter(|unit| unit.is_proven(self.now)))
    }

    /// So many may still have their turn before somebody promotes the rollout.
    pub(super) fn room(&self) -> u32 {
        if self.promoted || self.bounds.canary == 0 {
            return u32::MAX;
        }
        let updated = count(self.units.iter().filter(|unit| unit.wanted && unit.is_updated()));
        self.bounds.canary.saturating_sub(updated)
    }

    /// What an event says of it.
    pub(super) fn detail(&self, rollout: &Rollout) -> RolloutDetail {
        RolloutDetail {
            state: rollout.state(),
            cause: rollout.cause,
            from: rollout.from,
            to: rollout.to,
            instances: count(self.running()),
            updated: count(self.running().filter(|unit| unit.is_updated())),
            available: count(self.running().filter(|unit| unit.is_proven(self.now))),
            serving: self.available(),
            surge: count(self.extras()),
            why: rollout.why().to_owned(),
        }
    }
}

/// Whether an instance is beyond the number that was asked for.
pub(super) fn is_extra(spec: &ProcessSpec, id: &InstanceId) -> bool {
    !placement::of(spec).daemon && id.index > spec.instances
}

impl State {
    /// How far a rollout is, in numbers; as of the last command, so whoever has
    /// become old enough to count since is not counted yet.
    #[must_use]
    pub fn rollout_detail(&self, process: &Process, rollout: &Rollout) -> RolloutDetail {
        let now = self.events.last().map_or(rollout.progressed, |(_, event)| event.time);
        Picture::of(self, process, rollout, now.max(rollout.progressed)).detail(rollout)
    }
}

pub(super) fn count<T>(all: impl Iterator<Item = T>) -> u32 {
    u32::try_from(all.count()).unwrap_or(u32::MAX)
}
