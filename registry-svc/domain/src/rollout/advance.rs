//! One look at a rollout: what may be done is done, and where it is then is
//! noted. Called whenever something about one of its instances may be
//! different; without an active rollout it costs one look at the process.

use super::begin::emit;
use super::moves::{Move, moves};
use super::picture::{Picture, is_extra};
use super::specs::for_surge;
use super::verdict::{Verdict, next, verdict};
use super::{Handover, Rollout, Stage, revert};
use crate::draft::Draft;
use crate::placement::{self, Scope};
use crate::{Process, history, retire};
use process_model::change::Taking;
use process_model::spec::UpdatePolicy;
use process_model::{InstanceId, ProcessName, RolloutCause, Timestamp, event_type};
use std::collections::BTreeSet;
use std::sync::Arc;

/// Each hand-over changes what the next look sees only by what it took; three
/// rounds come to rest (some retire, then others come and have their turn),
/// and this many end it whatever happens.
const ROUNDS: usize = 8;

/// Advances the rollouts of the processes of these instances.
pub(crate) fn advance_of<'a>(draft: &mut Draft<'_>, instances: impl IntoIterator<Item = &'a InstanceId>) {
    let names: BTreeSet<&ProcessName> = instances.into_iter().map(|id| &id.process).collect();
    for name in names {
        advance(draft, name);
    }
}

/// Advances the rollout of a process, if one is active.
pub(crate) fn advance(draft: &mut Draft<'_>, name: &ProcessName) {
    if current(draft, name).is_none() {
        return;
    }
    if !draft.state().meta().mode.acts() {
        // It is held then, and nothing is due.
        change(draft, name, |rollout| rollout.due = None);
        return;
    }
    for _ in 0..ROUNDS {
        let Some((process, rollout)) = current(draft, name) else { break };
        let now = draft.header.time;
        let picture = Picture::of(draft.state(), &process, &rollout, now);
        note_progress(draft, name, &picture);
        match verdict(&picture, deadline(draft, name)) {
            Verdict::GoesOn => {}
            Verdict::Fails(why) => {
                if fail(draft, name, why) {
                    // What follows is another rollout, which has been looked at.
                    return;
                }
                continue;
            }
            Verdict::Waits => {
                if wait(draft, &process) {
                    continue;
                }
            }
            Verdict::Succeeds => {
                succeed(draft, name);
                continue;
            }
        }
        let moves = moves(&picture);
        if moves.is_empty() {
            break;
        }
        for one in moves {
            carry_out(draft, &process, &rollout, one);
        }
        placement::settle(draft, Scope::Processes(std::slice::from_ref(name)));
    }
    settle(draft, name);
}

/// The process and its rollout, if that is active.
fn current(draft: &Draft<'_>, name: &ProcessName) -> Option<(Arc<Process>, Arc<Rollout>)> {
    let process = draft.state().processes.get(name)?;
    let rollout = process.rollout.as_ref().filter(|rollout| rollout.is_active())?;
    Some((process.clone(), rollout.clone()))
}

/// Changes what a process keeps of its rollout.
pub(super) fn change(draft: &mut Draft<'_>, name: &ProcessName, change: impl FnOnce(&mut Rollout)) {
    let Some(process) = draft.state().processes.get(name) else { return };
    let Some(before) = process.rollout.as_deref() else { return };
    let mut rollout = before.clone();
    change(&mut rollout);
    if rollout != *before {
        let process = Process { rollout: Some(rollout.into()), ..Process::clone(process) };
        draft.put_process(process);
    }
}

fn deadline(draft: &Draft<'_>, name: &ProcessName) -> Timestamp {
    let default = UpdatePolicy::default();
    let process = draft.state().processes.get(name);
    let policy = process.and_then(|process| process.spec.update.as_deref()).unwrap_or(&default);
    let since = process.and_then(|process| process.rollout.as_ref()).map_or(Timestamp(i64::MAX), |one| one.progressed);
    since.plus(policy.progress_deadline)
}

fn note_progress(draft: &mut Draft<'_>, name: &ProcessName, picture: &Picture) {
    let (proven, now) = (picture.proven(), draft.header.time);
    let (mut more, mut over) = (false, true);
    change(draft, name, |rollout| {
        over = rollout.is_over();
        more = proven > rollout.most && rollout.stage != Stage::Paused;
        if more {
            rollout.most = proven;
            rollout.progressed = now;
        }
    });
    // The last of them is told as the end.
    let all = super::picture::count(picture.running());
    if more && !over && proven < all {
        let message = format!("{proven} of {all} instances of process {name} serve after their change");
        emit(draft, name, event_type::ROLLOUT_PROGRESSED, message);
    }
}

fn carry_out(draft: &mut Draft<'_>, process: &Process, rollout: &Rollout, one: Move) {
    let now = draft.header.time;
    let id = |index| InstanceId::new(process.spec.name.clone(), index);
    match one {
        Move::Hand { index, taking } => hand(draft, process, rollout, &id(index), taking),
        Move::Surge { index } => {
            let mut instance = for_surge(process, id(index), now);
            instance.traceparent.clone_from(&rollout.traceparent);
            draft.put_instance(instance);
            change(draft, &process.spec.name, |rollout| rollout.surge = true);
        }
        Move::Retire { index } => retire::instance(draft, &id(index)),
    }
}

fn hand(draft: &mut Draft<'_>, process: &Process, rollout: &Rollout, id: &InstanceId, taking: Taking) {
    let now = draft.header.time;
    draft.change_instance(id, |instance| {
        instance.handover = Some(Handover::now(rollout, instance, process.generation, taking, now));
        instance.generation = process.generation;
        if rollout.cause == RolloutCause::Restart && instance.wanted {
            instance.restart_count += 1;
        }
        instance.traceparent.clone_from(&rollout.traceparent);
    });
}

/// Whether it goes on by itself.
fn wait(draft: &mut Draft<'_>, process: &Process) -> bool {
    let (name, now) = (&process.spec.name, draft.header.time);
    if process.spec.update.as_ref().is_some_and(|update| update.auto_promote) {
        promoted(draft, name, "the canaries serve: the others follow");
        return true;
    }
    let mut waited = false;
    change(draft, name, |rollout| {
        waited = rollout.stage == Stage::Awaiting;
        if !waited {
            rollout.stage = Stage::Awaiting;
            rollout.progressed = now;
        }
    });
    if !waited {
        let message =
            format!("the canaries of process {name} serve; run `pmctl rollout promote {name}` for the others");
        emit(draft, name, event_type::ROLLOUT_AWAITING, message);
    }
    false
}

/// The others may follow the canaries.
pub(super) fn promoted(draft: &mut Draft<'_>, name: &ProcessName, message: &str) {
    let now = draft.header.time;
    change(draft, name, |rollout| {
        rollout.promoted = true;
        rollout.stage = Stage::Progressing;
        rollout.progressed = now;
    });
    emit(draft, name, event_type::ROLLOUT_PROMOTED, format!("process {name}: {message}"));
}

fn succeed(draft: &mut Draft<'_>, name: &ProcessName) {
    end(draft, name, Stage::Succeeded);
    let Some(rollout) = draft.state().processes.get(name).and_then(|process| process.rollout.clone()) else { return };
    let (kind, message) = match rollout.cause {
        RolloutCause::Change | RolloutCause::Rollback => {
            (event_type::ROLLOUT_SUCCEEDED, format!("all instances of process {name} are at generation {}", rollout.to))
        }
        RolloutCause::Restart => {
            (event_type::ROLLOUT_SUCCEEDED, format!("all instances of process {name} were restarted"))
        }
        RolloutCause::Revert { failed } => (
            event_type::ROLLOUT_REVERTED,
            format!("all instances of process {name} are back from generation {failed}, which failed"),
        ),
    };
    emit(draft, name, kind, message);
}

/// Gives it up; whether another one took its place.
fn fail(draft: &mut Draft<'_>, name: &ProcessName, why: String) -> bool {
    end(draft, name, Stage::Failed { why: why.clone() });
    let to = draft.state().processes.get(name).and_then(|one| one.rollout.as_ref()).map_or(0, |one| one.to);
    let message = format!("the rollout of process {name} to generation {to} failed: {why}");
    emit(draft, name, event_type::ROLLOUT_FAILED, message);
    revert::revert(draft, name, &why)
}

fn end(draft: &mut Draft<'_>, name: &ProcessName, stage: Stage) {
    let now = draft.header.time;
    let Some(process) = draft.state().processes.get(name) else { return };
    // Those that a smaller number left over go after the end, too.
    let surge = draft.state().instances_of(name).any(|one| !one.removing && is_extra(&process.spec, &one.id));
    change(draft, name, |rollout| {
        rollout.stage = stage;
        rollout.ended = Some(now);
        rollout.surge = surge;
    });
    history::bound(draft, name);
}

/// Notes when it has to be looked at again.
fn settle(draft: &mut Draft<'_>, name: &ProcessName) {
    let Some((process, rollout)) = current(draft, name) else {
        change(draft, name, |rollout| rollout.due = None);
        return;
    };
    let picture = Picture::of(draft.state(), &process, &rollout, draft.header.time);
    debug_assert!(moves(&picture).is_empty(), "a rollout does not come to rest: {:?}", moves(&picture));
    let surge = picture.extras().next().is_some();
    let due = next(&picture, deadline(draft, name));
    change(draft, name, |rollout| {
        rollout.surge = surge;
        rollout.due = due.filter(|_| rollout.is_active());
    });
}
