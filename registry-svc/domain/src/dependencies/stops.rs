//! The order of a stop of several by one request: who depends on whom is
//! written down beside each instance when it is asked for. Who is on one node
//! is put into order by its runner; whom it has to wait for on other nodes,
//! and for how long at most, is told to it as long as that goes on.
//!
//! ```text
//! stop, delete, prune of web (b) and db (a) ─▶ db.stops_after = {web, bound}
//!     a is told: db is not wanted, and held    b is told: web is not wanted
//!     b says that web has ended, or is lost ─▶ a is told: not held any more      a: bound over ─▶ stopped anyway
//! ```

use crate::draft::Draft;
use crate::{Instance, State};
use process_model::spec::Needs;
use process_model::{InstanceId, NodeName, ProcessName, ProcessSpec};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// For the way of what is told and said, beside the stop itself.
const MARGIN: Duration = Duration::from_secs(5);

/// Whom the stop of an instance waits for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopsAfter {
    /// Processes that depend on it and were stopped with it.
    pub processes: Vec<ProcessName>,
    /// How long their stop takes at most.
    pub bound: Duration,
}

/// Notes which of these come after which; they are stopped by one request.
/// `timeout`: what it asks for in the place of the specs' own.
pub(crate) fn in_order(draft: &mut Draft<'_>, stopped: &[InstanceId], timeout: Option<Duration>) {
    if draft.state().meta().level() < 3 {
        return;
    }
    let plan = plan(draft.state(), stopped, timeout);
    for id in stopped {
        let after = plan.get(&id.process);
        let known = draft.state().instances().get(id).and_then(|instance| instance.stops_after.as_deref());
        if known != after {
            let after = after.cloned().map(Box::new);
            draft.change_instance(id, |instance| instance.stops_after = after);
        }
    }
}

/// What of the stopped processes comes after others of them.
fn plan(state: &State, stopped: &[InstanceId], timeout: Option<Duration>) -> BTreeMap<ProcessName, StopsAfter> {
    let running: Vec<&Arc<Instance>> =
        stopped.iter().filter_map(|id| state.instances().get(id)).filter(|instance| runs(instance)).collect();
    let processes: BTreeSet<&ProcessName> = running.iter().map(|instance| &instance.id.process).collect();
    if processes.len() < 2 {
        return BTreeMap::new();
    }
    // What runs has its dependencies, not what it is to become; but whom it passes is known by what is asked for.
    let mut specs: Vec<Arc<ProcessSpec>> = state.processes().values().map(|process| process.spec.clone()).collect();
    specs.extend(running.iter().filter_map(|instance| state.spec_of(instance)));
    let needs = Needs::of(specs.iter().map(|spec| &**spec));
    let after = needs.stopped_after(&processes);
    if after.is_empty() {
        return BTreeMap::new();
    }
    let mut takes: BTreeMap<&ProcessName, Duration> = BTreeMap::new();
    for spec in specs.iter().filter(|spec| processes.contains(&spec.name)) {
        let asked = timeout.map_or(Duration::ZERO, |timeout| timeout.saturating_add(spec.stop.kill_timeout));
        let longest = takes.entry(&spec.name).or_default();
        *longest = (*longest).max(spec.stop_bound().saturating_add(asked));
    }
    let mut bounds: BTreeMap<&ProcessName, Duration> = BTreeMap::new();
    for process in needs.stop_order(processes.clone()).into_iter().flatten() {
        let others = after.get(process).into_iter().flatten();
        let of = |other: &&&ProcessName| {
            bounds.get(**other).copied().unwrap_or_default() + takes.get(**other).copied().unwrap_or_default()
        };
        let bound = others.map(|other| of(&other).saturating_add(MARGIN)).max().unwrap_or_default();
        bounds.insert(process, bound);
    }
    let entry = |(process, others): (&ProcessName, BTreeSet<&ProcessName>)| {
        let bound = bounds.get(process).copied().unwrap_or_default();
        (process.clone(), StopsAfter { processes: others.into_iter().cloned().collect(), bound })
    };
    after.into_iter().map(entry).collect()
}

/// Whether there is something to be ended, as far as anybody knows.
fn runs(instance: &Instance) -> bool {
    instance.node.is_some() && instance.lost_since.is_none() && !instance.seen.phase.is_at_rest()
}

impl State {
    /// Instances of a node that are to be stopped and wait for others, on other
    /// nodes, to end first; and for how long at most.
    pub fn held_stops<'a>(&'a self, node: &NodeName) -> impl Iterator<Item = (&'a InstanceId, Duration)> + use<'a> {
        let here = node.clone();
        self.instances_on(node).filter_map(move |instance| {
            let (after, mut others) = self.stop_is_held_by(instance)?;
            others.any(|other| other.node.as_ref() != Some(&here)).then_some((&instance.id, after.bound))
        })
    }

    /// Who has to end, and on which node, before an instance that runs is stopped;
    /// when somebody has.
    #[must_use]
    pub fn stop_waits_for<'a>(&'a self, instance: &'a Instance) -> Option<(&'a InstanceId, &'a NodeName)> {
        let (_, mut others) = self.stop_is_held_by(instance).filter(|_| runs(instance))?;
        others.find_map(|other| Some((&other.id, other.node.as_ref()?)))
    }

    fn stop_is_held_by<'a>(
        &'a self,
        instance: &'a Instance,
    ) -> Option<(&'a StopsAfter, impl Iterator<Item = &'a Arc<Instance>>)> {
        let after = instance.stops_after.as_deref().filter(|_| is_to_stop(instance))?;
        let others = after.processes.iter().flat_map(|process| self.instances_of(process));
        Some((after, others.filter(|other| is_to_stop(other) && runs(other))))
    }

    /// Processes whose instances the stops of a node may wait for.
    #[must_use]
    pub fn stops_wait_for(&self, node: &NodeName) -> BTreeSet<ProcessName> {
        let waiting = self.instances_on(node).filter(|instance| is_to_stop(instance));
        let after = waiting.filter_map(|instance| instance.stops_after.as_deref());
        after.flat_map(|after| after.processes.iter().cloned()).collect()
    }
}

/// One that only goes to another node is stopped for that alone.
fn is_to_stop(instance: &Instance) -> bool {
    match &instance.moving {
        Some(moving) => !moving.wanted,
        None => instance.removing || !instance.wanted,
    }
}
