//! A rollout begins. The one before is superseded: what its instances have by
//! then is where this one goes on from.

use super::picture::{Picture, is_extra};
use super::{Rollout, Stage};
use crate::Process;
use crate::draft::{Draft, Fact};
use process_model::{EventDetail, ProcessName, RolloutCause, RolloutState, event_type};

/// Begins a rollout of a process whose new spec stands already; does nothing
/// of it yet. `before`: the generation of before the change.
pub(crate) fn begin(draft: &mut Draft<'_>, name: &ProcessName, cause: RolloutCause, before: u64, traceparent: &str) {
    let Some(process) = draft.state().processes.get(name).cloned() else { return };
    let now = draft.header.time;
    supersede(draft, &process);
    // The last one that all had: a rollout that did not get there leaves it as it was.
    let from = match process.rollout.as_deref() {
        Some(last) if last.stage != Stage::Succeeded && last.cause != RolloutCause::Restart => last.from,
        Some(_) | None => before,
    };
    let id = draft.next_revision();
    let rollout = Rollout {
        id,
        from,
        to: process.generation,
        cause,
        stage: Stage::Progressing,
        // Both have been tried: an earlier spec, and the one that runs.
        promoted: cause != RolloutCause::Change,
        actor: draft.header.actor.clone(),
        reason: draft.header.reason.clone(),
        traceparent: traceparent.to_owned(),
        began: now,
        progressed: now,
        most: 0,
        ended: None,
        due: None,
        surge: draft.state().instances_of(name).any(|one| !one.removing && is_extra(&process.spec, &one.id)),
    };
    draft.put_process(Process { rollout: Some(rollout.into()), ..Process::clone(&process) });
    let message = match cause {
        RolloutCause::Change => {
            format!("process {name} is rolled out from generation {from} to {}", process.generation)
        }
        RolloutCause::Rollback => format!("process {name} is rolled back to generation {}", process.generation),
        RolloutCause::Revert { failed } => {
            format!("process {name} goes back from generation {failed}, which failed, to what generation {from} was")
        }
        RolloutCause::Restart => format!("the instances of process {name} are restarted, some at a time"),
    };
    emit(draft, name, event_type::ROLLOUT_STARTED, message);
}

fn supersede(draft: &mut Draft<'_>, process: &Process) {
    let Some(last) = process.rollout.as_deref().filter(|one| !one.is_over()) else { return };
    let picture = Picture::of(draft.state(), process, last, draft.header.time);
    let detail = process_model::RolloutDetail { state: RolloutState::Superseded, ..picture.detail(last) };
    let name = &process.spec.name;
    draft.emit(Fact {
        kind: event_type::ROLLOUT_SUPERSEDED.to_owned(),
        process: Some(name.clone()),
        message: format!("the rollout of process {name} to generation {} is superseded", last.to),
        detail: Some(EventDetail::Rollout(detail.into())),
        ..Fact::default()
    });
}

/// An event about the rollout of a process as it is now.
pub(super) fn emit(draft: &mut Draft<'_>, name: &ProcessName, kind: &str, message: String) {
    let Some(process) = draft.state().processes.get(name) else { return };
    let Some(rollout) = process.rollout.as_deref() else { return };
    let detail = Picture::of(draft.state(), process, rollout, draft.header.time).detail(rollout);
    draft.emit(Fact {
        kind: kind.to_owned(),
        process: Some(name.clone()),
        message,
        detail: Some(EventDetail::Rollout(detail.into())),
        ..Fact::default()
    });
}
