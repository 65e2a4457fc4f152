//! What a change would do to each instance, without doing it. Not when: that
//! depends on how soon they serve.

use super::bounds::Bounds;
use crate::State;
use process_model::change::{Taking, taking};
use process_model::{InstanceId, ProcessName, ProcessSpec};

/// What becomes of an instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// It is made.
    Create,
    /// Its program is started anew.
    Restart,
    /// It takes the change in while it runs.
    InPlace,
    /// It ends and goes.
    Remove,
    /// Nothing.
    None,
    /// It is made for the time of the rollout only.
    Surge,
}

/// What becomes of one instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstancePlan {
    /// The instance.
    pub instance: InstanceId,
    /// What becomes of it.
    pub step: Step,
}

/// What applying a spec does to each instance of its process, by index;
/// `None`: the process goes.
#[must_use]
pub fn preview(state: &State, name: &ProcessName, spec: Option<&ProcessSpec>) -> Vec<InstancePlan> {
    let there = || state.instances_of(name).filter(|one| !one.removing);
    let plan = |index, step| InstancePlan { instance: InstanceId::new(name.clone(), index), step };
    let Some(spec) = spec else {
        return there().map(|one| plan(one.id.index, Step::Remove)).collect();
    };
    let process = state.processes.get(name);
    let rolls = process.is_some_and(|process| !process.runs_like(spec));
    let mut plans = Vec::new();
    let mut costs = 0;
    let mut running = 0;
    for index in 1..=spec.instances {
        let id = InstanceId::new(name.clone(), index);
        let step = match state.instances.get(&id).filter(|one| !one.removing) {
            None => {
                running += u32::from(spec.autostart);
                Step::Create
            }
            Some(_) if !rolls => Step::None,
            Some(one) => {
                running += u32::from(one.wanted);
                let will = state.spec_of(one).map_or(Taking::Restart, |old| taking(&old, spec));
                match will {
                    Taking::Same => Step::None,
                    // What does not run has nothing to start anew.
                    Taking::Restart if one.wanted => {
                        costs += u32::from(super::handover::serves(one));
                        Step::Restart
                    }
                    Taking::Restart | Taking::InPlace => Step::InPlace,
                }
            }
        };
        plans.push(plan(index, step));
    }
    let surge = if rolls && state.meta.level() >= 3 { Bounds::of(spec, running).surge.min(costs) } else { 0 };
    for one in there().filter(|one| one.id.index > spec.instances) {
        plans.push(plan(one.id.index, Step::Remove));
    }
    let beyond = (spec.instances.saturating_add(1)..=spec.instances.saturating_add(surge))
        .filter(|index| !state.instances.contains_key(&InstanceId::new(name.clone(), *index)));
    plans.extend(beyond.map(|index| plan(index, Step::Surge)));
    plans.sort_by_key(|one| one.instance.index);
    plans
}
