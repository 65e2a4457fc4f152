//! What users say of a rollout.

use super::advance::{advance, change, promoted};
use super::begin::{begin, emit};
use super::{Rollout, Stage};
use crate::audit::Subject;
use crate::command::RollingRestart;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::reply::Reply;
use crate::selection::{self, Selection};
use crate::{Refusal, State};
use process_model::{ProcessName, RolloutCause, event_type};

/// Holds it.
pub(crate) fn pause(draft: &mut Draft<'_>, name: &ProcessName) -> Result<Decided, Refusal> {
    let rollout = under_way(draft.state(), name)?;
    if rollout.stage != Stage::Paused {
        change(draft, name, |rollout| {
            rollout.stage = Stage::Paused;
            rollout.due = None;
        });
        emit(draft, name, event_type::ROLLOUT_PAUSED, format!("the rollout of process {name} is held"));
    }
    Ok(decided(draft, "pause-rollout", vec![name.clone()]))
}

/// Goes on with it.
pub(crate) fn resume(draft: &mut Draft<'_>, name: &ProcessName) -> Result<Decided, Refusal> {
    let (rollout, now) = (under_way(draft.state(), name)?, draft.header.time);
    if rollout.stage == Stage::Paused {
        change(draft, name, |rollout| {
            rollout.stage = Stage::Progressing;
            rollout.progressed = now;
        });
        emit(draft, name, event_type::ROLLOUT_RESUMED, format!("the rollout of process {name} goes on"));
        advance(draft, name);
    }
    Ok(decided(draft, "resume-rollout", vec![name.clone()]))
}

/// Lets the others follow the canaries.
pub(crate) fn promote(draft: &mut Draft<'_>, name: &ProcessName) -> Result<Decided, Refusal> {
    let rollout = under_way(draft.state(), name)?;
    if rollout.stage == Stage::Paused {
        let why = "it is paused: resume it first".to_owned();
        return Err(Refusal::RolloutUnfit { process: name.to_string(), why });
    }
    if !rollout.promoted {
        promoted(draft, name, "somebody lets the others follow the canaries");
        advance(draft, name);
    }
    Ok(decided(draft, "promote-rollout", vec![name.clone()]))
}

/// Restarts what runs, some at a time.
pub(crate) fn restart(draft: &mut Draft<'_>, order: &RollingRestart) -> Result<Decided, Refusal> {
    let names = Selection::required(&order.selectors)?.processes(draft.state())?;
    for name in &names {
        let active = draft.state().processes.get(name).and_then(|process| process.rollout.as_deref());
        // What has which generation is not settled: a restart would hide what is wrong.
        if let Some(one) = active.filter(|one| one.stage != Stage::Succeeded && one.cause != RolloutCause::Restart) {
            let why = format!("its rollout to generation {} is {}: see it through or undo it", one.to, one.state());
            return Err(Refusal::RolloutUnfit { process: name.to_string(), why });
        }
    }
    for name in &names {
        let Some(generation) = draft.state().processes.get(name).map(|process| process.generation) else { continue };
        begin(draft, name, RolloutCause::Restart, generation, &order.traceparent);
        advance(draft, name);
    }
    Ok(decided(draft, "rolling-restart", names))
}

fn under_way(state: &State, name: &ProcessName) -> Result<Rollout, Refusal> {
    let process = state.processes.get(name).ok_or_else(|| selection::no_process(state, name.as_str()))?;
    let rollout = process.rollout.as_deref().filter(|one| !one.is_over());
    rollout.cloned().ok_or_else(|| Refusal::NoRollout(name.to_string()))
}

fn decided(draft: &Draft<'_>, command: &str, processes: Vec<ProcessName>) -> Decided {
    let audit = Some(Subject::new(command, &processes));
    Decided { reply: Reply::Rollouts { processes, revision: draft.state().revision() }, audit }
}
