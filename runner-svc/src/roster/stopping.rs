//! Stops in order: dependents first, what they depend on once they are at rest.
//!
//! Two occasions: the runner takes everything down, and one update of the
//! registry stops several at once. Each step is bounded by the stop sequences
//! of its instances. Those that depend on it and are on other nodes are the
//! registry's to know, see `neighbours`. A runner that dies in between leaves the order, not the
//! stop: its successor tells the rest at once.

use super::Roster;
use super::table::Table;
use crate::instance::{Handle, Seen};
use process_model::spec::Needs;
use process_model::{InstanceId, ProcessName};
use runner_domain::Input;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// `stopped` in steps. One step when nobody here depends on anybody.
fn steps(table: &Table, stopped: BTreeSet<InstanceId>) -> Vec<Vec<InstanceId>> {
    let seen: Vec<Seen> = if table.has_dependents() {
        table.entries.values().map(|entry| entry.handle.seen.borrow().clone()).collect()
    } else {
        return vec![stopped.into_iter().collect()];
    };
    // What runs has its dependencies, not what it is to become.
    let graph = Needs::of(seen.iter().map(|seen| &*seen.assignment.spec));
    let mut by_process: BTreeMap<&ProcessName, Vec<InstanceId>> = BTreeMap::new();
    for instance in &stopped {
        by_process.entry(&instance.process).or_default().push(instance.clone());
    }
    let order = graph.stop_order(by_process.keys().copied().collect());
    let instances = |process: &ProcessName| by_process.get(process).cloned().unwrap_or_default();
    order.into_iter().map(|step| step.into_iter().flat_map(instances).collect()).collect()
}

impl Table {
    /// Whether any instance here depends on another process.
    fn has_dependents(&self) -> bool {
        self.entries.values().any(|entry| !entry.handle.seen.borrow().assignment.spec.depends_on.is_empty())
    }

    /// Prepares a stop of several at once: those that others of them depend on
    /// are told later. Returns the steps, when there are several.
    pub(super) fn withhold(&mut self, stopped: BTreeSet<InstanceId>) -> Option<Vec<Vec<InstanceId>>> {
        if stopped.len() < 2 {
            return None;
        }
        let steps = steps(self, stopped);
        for instance in steps.iter().skip(1).flatten() {
            if let Some(entry) = self.entries.get_mut(instance) {
                entry.wait_for_turn();
            }
        }
        (steps.len() > 1).then_some(steps)
    }

    /// Whether nothing more has to be waited for before the next step: it is at
    /// rest, gone, or wanted again.
    fn is_over(&self, instance: &InstanceId) -> bool {
        self.entries.get(instance).is_none_or(|entry| entry.is_wanted() || is_at_rest(&entry.handle.seen.borrow()))
    }
}

fn is_at_rest(seen: &Seen) -> bool {
    seen.gone || seen.view.phase.is_at_rest()
}

impl Roster {
    /// Releases one step after the other.
    pub(super) async fn stop_in_steps(self, steps: Vec<Vec<InstanceId>>) {
        for step in &steps {
            let waited: Vec<(InstanceId, Option<Handle>)> = {
                let mut table = self.lock();
                step.iter()
                    .map(|instance| {
                        let entry = table.entries.get_mut(instance);
                        (
                            instance.clone(),
                            entry.map(|entry| {
                                entry.comes_to_turn();
                                entry.handle.clone()
                            }),
                        )
                    })
                    .collect()
            };
            for (instance, handle) in waited {
                if let Some(handle) = handle {
                    self.until_over(&instance, handle).await;
                }
            }
        }
    }

    async fn until_over(&self, instance: &InstanceId, mut handle: Handle) {
        let mut changes = self.changes();
        loop {
            handle.seen.mark_unchanged();
            changes.mark_unchanged();
            if self.lock().is_over(instance) {
                return;
            }
            tokio::select! {
                changed = handle.seen.changed() => if changed.is_err() { return },
                // It may be wanted again.
                _ = changes.changed() => {}
            }
        }
    }

    /// Stops everything, though it stays wanted; waits until all is at rest or
    /// cannot be stopped. Bounded by each instance's stop sequence.
    pub(crate) async fn hold(&self) {
        self.held.store(true, Ordering::SeqCst);
        let steps = {
            let table = self.lock();
            steps(&table, table.entries.keys().cloned().collect())
        };
        for step in steps {
            for mut handle in self.hold_step(&step) {
                let _ = handle.seen.wait_for(is_at_rest).await;
            }
        }
    }

    fn hold_step(&self, step: &[InstanceId]) -> Vec<Handle> {
        let mut table = self.lock();
        let mut held = Vec::with_capacity(step.len());
        for instance in step {
            let Some(entry) = table.entries.get_mut(instance) else { continue };
            entry.release();
            let _ = entry.handle.inbox.send(Input::Held.into());
            if self.is_hurried() {
                let _ = entry.handle.inbox.send(Input::StopTimeoutGiven(Duration::ZERO).into());
            }
            held.push(entry.handle.clone());
        }
        held
    }

    fn is_hurried(&self) -> bool {
        self.hurried.load(Ordering::SeqCst)
    }

    /// Stops that are going on wait no longer, nor do those that follow.
    pub(crate) fn hurry(&self) {
        self.hurried.store(true, Ordering::SeqCst);
        for entry in self.lock().entries.values() {
            let _ = entry.handle.inbox.send(Input::StopTimeoutGiven(Duration::ZERO).into());
        }
    }

    /// Everything is ended now, in no order.
    pub(crate) fn kill(&self) {
        for entry in self.lock().entries.values() {
            let _ = entry.handle.inbox.send(Input::Held.into());
        }
        self.hurry();
    }
}
