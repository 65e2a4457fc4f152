//! A change that failed is taken back, where its policy says so: the spec
//! before it, as a new generation, rolled out by the same rules. What is
//! brought back like this is never taken back again.

use crate::apply::{self, Why};
use crate::audit::{self, Account, Subject};
use crate::command::Apply;
use crate::draft::Draft;
use crate::placement::{self, Scope};
use crate::{Header, history};
use process_model::{ProcessName, ProcessSpec, RolloutCause};
use std::sync::Arc;

/// Takes the failed change of a process back; whether it did.
pub(super) fn revert(draft: &mut Draft<'_>, name: &ProcessName, why: &str) -> bool {
    let Some((spec, from, failed)) = before(draft, name) else { return false };
    let Some(process) = draft.state().processes.get(name).cloned() else { return false };
    let order = Apply {
        source: process.source.clone(),
        traceparent: process.rollout.as_ref().map(|one| one.traceparent.clone()).unwrap_or_default(),
        ..Apply::default()
    };
    // Nobody asks for it in this command: it is the registry's own doing.
    let own = Header {
        actor: "registry".to_owned(),
        reason: format!("generation {failed} failed: {why}"),
        time: draft.header.time,
        ..Header::default()
    };
    let header = std::mem::replace(&mut draft.header, own);
    let mut account = Account::default();
    apply::update(draft, &spec, &order, Why::Revert { to: from, failed }, &mut account);
    placement::settle(draft, Scope::Everything);
    audit::record(draft, Subject::new("revert", [name]).with(account));
    draft.header = header;
    true
}

/// The spec to go back to, its generation, and the one that failed.
fn before(draft: &Draft<'_>, name: &ProcessName) -> Option<(Arc<ProcessSpec>, u64, u64)> {
    let state = draft.state();
    let process = state.processes.get(name)?;
    let rollout = process.rollout.as_deref()?;
    match rollout.cause {
        RolloutCause::Change | RolloutCause::Rollback => {}
        RolloutCause::Revert { .. } | RolloutCause::Restart => return None,
    }
    if !process.spec.update.as_ref().is_some_and(|update| update.auto_revert) {
        return None;
    }
    let from = history::kept(state, name, rollout.from)?;
    if process.runs_like(&from) {
        return None;
    }
    let mut spec = ProcessSpec::clone(&from);
    // A number that was asked for by itself, before the change or after it, is not what failed.
    let number = |generation| history::kept(state, name, generation).map(|spec| spec.instances);
    let of_change = number(rollout.to);
    let by_itself = number(rollout.to.saturating_sub(1)) == of_change || of_change != Some(process.spec.instances);
    if by_itself {
        spec.instances = process.spec.instances;
    }
    Some((spec.into(), rollout.from, rollout.to))
}
