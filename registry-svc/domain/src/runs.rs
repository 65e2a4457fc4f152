//! Runs of what runs to an end: the newest of each instance, over all nodes
//! that it was on, and where its schedule stands.
//!
//! ```text
//! runner's reports ─▶ Runs (a row of its own: written when a run begins or ends, not with each report of a state)
//! leaves a node ─▶ Plan ─▶ assignment of the next node
//! ```
//! Reports are repeated until they are acknowledged, and a node that was lost
//! tells later what it did meanwhile: each is taken in once, by its number.

use crate::command::RunReports;
use crate::decided::Decided;
use crate::draft::Draft;
use crate::row::RowKey;
use crate::{Instance, Refusal, State, limits};
use process_model::{InstanceId, NodeName, Plan, Run, RunOutcome, RunReport, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The runs of one instance.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Runs {
    /// The instance.
    pub instance: InstanceId,
    /// Number of the newest run ever.
    pub newest: u64,
    /// When its node last said that the next one is due.
    pub next_due: Option<Timestamp>,
    /// The newest report that was heard of each node, the node that was heard
    /// last at the end.
    pub heard: Vec<(NodeName, u64)>,
    /// The newest ones, oldest first.
    pub runs: Vec<Run>,
}

impl Runs {
    fn none(instance: InstanceId) -> Self {
        Self { instance, newest: 0, next_due: None, heard: Vec::new(), runs: Vec::new() }
    }

    /// Whether it is news; it is known from now on.
    fn hear(&mut self, node: &NodeName, seq: u64) -> bool {
        if self.heard.iter().any(|(known, newest)| known == node && *newest >= seq) {
            return false;
        }
        self.heard.retain(|(known, _)| known != node);
        self.heard.push((node.clone(), seq));
        let surplus = self.heard.len().saturating_sub(limits::RUN_NODES);
        self.heard.drain(..surplus);
        true
    }

    fn note(&mut self, node: &NodeName, report: &RunReport) {
        // What is over was another one: that node has lost its memory, and counts anew.
        let same = |run: &&mut Run| run.run == report.run && run.node == *node && run.outcome.is_open();
        let known = self.runs.iter_mut().rev().find(same).filter(|_| report.run != 0);
        if let Some(run) = known {
            run.began = report.began.or(run.began);
            (run.ended, run.outcome) = (report.ended, report.outcome.clone());
            return;
        }
        self.newest += 1;
        self.runs.push(Run {
            number: self.newest,
            node: node.clone(),
            run: report.run,
            due: report.due,
            trigger: report.trigger,
            began: report.began,
            ended: report.ended,
            outcome: report.outcome.clone(),
        });
        let surplus = self.runs.len().saturating_sub(limits::RUNS);
        self.runs.drain(..surplus);
    }
}

/// A node tells of runs.
pub(crate) fn report(draft: &mut Draft<'_>, order: &RunReports) -> Result<Decided, Refusal> {
    if !draft.state().nodes().contains_key(&order.node) {
        return Err(Refusal::UnknownNode(order.node.to_string()));
    }
    for run in &order.runs {
        take_in(draft, &order.node, run);
    }
    Ok(Decided::noted(draft))
}

fn take_in(draft: &mut Draft<'_>, node: &NodeName, report: &RunReport) {
    let id = &report.instance;
    let Some(instance) = draft.state().instances().get(id) else { return };
    let has_it = instance.node.as_ref() == Some(node);
    let was_left_with_it = instance.left.iter().any(|left| left.node == *node);
    // Of another instance, that had the same name.
    if report.generation < instance.born || !(has_it || was_left_with_it) {
        return;
    }
    let before = draft.state().runs.get(id);
    let mut runs = before.map_or_else(|| Runs::none(id.clone()), |runs| Runs::clone(runs));
    if !runs.hear(node, report.seq) {
        return;
    }
    // What an older copy plans is nothing that anybody follows.
    if has_it {
        runs.next_due = report.next_due.or(runs.next_due);
    }
    runs.note(node, report);
    put(draft, runs);
}

fn put(draft: &mut Draft<'_>, runs: Runs) {
    let id = runs.instance.clone();
    draft.touch(RowKey::Runs(id.clone())).runs.insert(id, Arc::new(runs));
}

/// Its node was given up, for this instance: nobody knows what became of the
/// run that went on there.
pub(crate) fn lose(draft: &mut Draft<'_>, id: &InstanceId, node: &NodeName) {
    let is_lost = |run: &Run| run.node == *node && run.outcome == RunOutcome::Running;
    let Some(runs) = draft.state().runs.get(id).filter(|runs| runs.runs.iter().any(is_lost)) else { return };
    let mut runs = Runs::clone(runs);
    runs.runs.iter_mut().filter(|run| is_lost(run)).for_each(|run| run.outcome = RunOutcome::Lost);
    put(draft, runs);
}

/// The instance is gone, and comes to no other node.
pub(crate) fn forget(draft: &mut Draft<'_>, id: &InstanceId) {
    if draft.state().runs.contains_key(id) {
        draft.touch(RowKey::Runs(id.clone())).runs.remove(id);
    }
}

/// The instance leaves its node: where its schedule stands is written down for
/// the next one. `certain`: whether its node says all that it did.
pub(crate) fn keep_plan(draft: &mut Draft<'_>, id: &InstanceId, certain: bool) {
    let state = draft.state();
    let plan = state.instances().get(id).and_then(|instance| state.plan_of(instance));
    draft.change_instance(id, |instance| instance.plan = plan.map(|plan| Plan { certain, ..plan }));
}

/// The schedule has changed: what was planned is of the one before.
pub(crate) fn replan(draft: &mut Draft<'_>, id: &InstanceId) {
    if let Some(runs) = draft.state().runs.get(id).filter(|runs| runs.next_due.is_some()) {
        let runs = Runs { next_due: None, ..Runs::clone(runs) };
        put(draft, runs);
    }
    draft.change_instance(id, |instance| {
        instance.plan = None;
        instance.seen.next_restart.take_if(|_| instance.seen.phase.is_at_rest());
    });
}

impl State {
    /// The runs of an instance that are kept.
    #[must_use]
    pub fn runs_of(&self, id: &InstanceId) -> Option<&Arc<Runs>> {
        self.runs.get(id)
    }

    /// Where the schedule of an instance stands, for whoever follows it next.
    /// The latest of what was ever said of it: a schedule goes forwards only.
    #[must_use]
    pub fn plan_of(&self, instance: &Instance) -> Option<Plan> {
        let process = self.processes.get(&instance.id.process)?;
        let is_wanted = instance.moving.as_ref().map_or(instance.wanted, |moving| moving.wanted);
        if process.spec.schedule.is_none() || !is_wanted {
            return None;
        }
        let told = instance.plan;
        // While it is tried again, that is when the next try is due.
        let at_rest = instance.seen.phase.is_at_rest() && instance.seen.seq > 0;
        let seen = instance.seen.next_restart.filter(|_| at_rest);
        let said = self.runs.get(&instance.id).and_then(|runs| runs.next_due);
        let due = [told.map(|plan| plan.due), seen, said].into_iter().flatten().max()?;
        // Nobody has said anything since it was placed: what was certain then is so now.
        let certain = told.is_some_and(|plan| plan.certain && plan.due == due) && instance.seen.seq == 0;
        Some(Plan { due, certain })
    }
}

/// What is wrong with the runs of a state.
pub(crate) fn broken(state: &State) -> Vec<String> {
    let mut faults = Vec::new();
    for (id, runs) in &state.runs {
        if !state.instances.contains_key(id) || runs.instance != *id {
            faults.push(format!("{id}: runs of an instance that is not there"));
        }
        let numbers: Vec<u64> = runs.runs.iter().map(|run| run.number).collect();
        let follow = numbers.windows(2).all(|pair| matches!(pair, [a, b] if a + 1 == *b));
        if !follow || numbers.last() != Some(&runs.newest) || numbers.len() > limits::RUNS {
            faults.push(format!("{id}: its runs are {numbers:?}, the newest is {}", runs.newest));
        }
        if runs.heard.len() > limits::RUN_NODES {
            faults.push(format!("{id}: {} nodes are remembered", runs.heard.len()));
        }
    }
    faults
}
