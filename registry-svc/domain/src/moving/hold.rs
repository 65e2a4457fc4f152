//! Whether an instance that has to leave its node can leave it now.

use super::{can_be_told, is_available, is_over};
use crate::placement::{self, Board};
use crate::{Cause, Instance, Process, State};
use process_model::spec::{Share, UpdatePolicy};
use process_model::{InstanceId, ProcessName};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Why an instance that has to leave its node is still there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Hold {
    /// It belongs to the node.
    Daemon,
    /// It has done what it was for.
    Over,
    /// It runs to an end, which is waited for.
    RunsOnce,
    /// As many of its process as may do not serve.
    Others {
        /// So many do not.
        away: u32,
        /// So many may not.
        most: u32,
    },
    /// No other node can take it.
    NoPlace,
    /// Its node cannot be told to end it.
    Silent,
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon => f.write_str("a daemon stays with its node"),
            Self::Over => f.write_str("it has ended, and elsewhere it would run again"),
            Self::RunsOnce => f.write_str("it runs to an end, which is waited for"),
            Self::Others { away, most } => {
                write!(f, "{away} of its process do not serve, and max_unavailable is {most}")
            }
            Self::NoPlace => f.write_str("no other node can take it"),
            Self::Silent => f.write_str("its node is silent"),
        }
    }
}

/// Why those that have to leave and cannot are where they are.
pub(crate) fn holds(state: &State) -> BTreeMap<InstanceId, Hold> {
    verdicts(state).into_iter().filter_map(|(id, verdict)| Some((id, verdict.err()?))).collect()
}

/// Every instance that has to leave its node: whether it can now, and why it
/// has to.
pub(super) fn verdicts(state: &State) -> Vec<(InstanceId, Result<Cause, Hold>)> {
    let mut look = Look { state, board: None, away: BTreeMap::new() };
    let on_draining = state.index.draining().iter().flat_map(|node| state.instances_on(node));
    let unfit = state.index.unfit().iter().filter_map(|id| state.instances.get(id));
    let unfit = unfit.filter(|one| one.node.as_ref().is_none_or(|node| !state.index.draining().contains(node)));
    let leaving = on_draining.map(|one| (one, Cause::Drain)).chain(unfit.map(|one| (one, Cause::Unfit)));
    let leaving = leaving.filter(|(instance, _)| !instance.removing);
    leaving
        .filter_map(|(instance, cause)| {
            let process = state.processes.get(&instance.id.process)?;
            Some((instance.id.clone(), look.at(process, instance).map(|()| cause)))
        })
        .collect()
}

struct Look<'a> {
    state: &'a State,
    /// With everything on it that has no node yet or will have none soon.
    board: Option<Board<'a>>,
    /// Instances that do not serve, by process.
    away: BTreeMap<&'a ProcessName, u32>,
}

impl<'a> Look<'a> {
    fn at(&mut self, process: &'a Arc<Process>, instance: &'a Instance) -> Result<(), Hold> {
        let (state, spec) = (self.state, &process.spec);
        if !can_be_told(state, instance) {
            return Err(Hold::Silent);
        }
        if placement::of(spec).daemon {
            return Err(Hold::Daemon);
        }
        if is_over(spec, instance) {
            return Err(Hold::Over);
        }
        let node = instance.node.as_ref().and_then(|node| state.nodes.get(node));
        if node.and_then(|node| node.drain.as_ref()).is_some_and(|drain| drain.over) {
            return Ok(());
        }
        if spec.runs_to_an_end() && !instance.phase().is_at_rest() {
            return Err(Hold::RunsOnce);
        }
        let away = *self.away.entry(&spec.name).or_insert_with(|| away(state, process));
        let most = most(spec.update.as_deref(), spec.instances);
        let serves = is_available(instance);
        if serves && away >= most {
            return Err(Hold::Others { away, most });
        }
        let board = self.board.get_or_insert_with(|| under_way(state));
        if board.seat(&spec.name, 1).is_empty() {
            return Err(Hold::NoPlace);
        }
        *self.away.entry(&spec.name).or_default() += u32::from(serves);
        Ok(())
    }
}

/// How many may not serve: at least one, or none could ever move.
fn most(policy: Option<&UpdatePolicy>, instances: u32) -> u32 {
    let share: Share = policy.map_or_else(|| UpdatePolicy::default().max_unavailable, |policy| policy.max_unavailable);
    share.of(instances).max(1)
}

/// Instances of a process that should serve and do not.
fn away(state: &State, process: &Process) -> u32 {
    let wanted = |one: &Instance| one.wanted || one.moving.as_ref().is_some_and(|moving| moving.wanted);
    let all = state.instances_of(&process.spec.name);
    let away = all.filter(|one| wanted(one) && !is_available(one) && !is_over(&process.spec, one)).count();
    u32::try_from(away).unwrap_or(u32::MAX)
}

/// A board with those on it that wait, and those that are on their way.
fn under_way(state: &State) -> Board<'_> {
    let mut board = Board::new(state);
    for (process, instances) in placement::groups(state.index.unplaced().iter().chain(state.index.moving())) {
        board.seat(process, instances.len());
    }
    board
}
