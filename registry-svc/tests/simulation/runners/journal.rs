//! What a runner wrote down: it survives the runner and its host.

use crate::rig::Oracle;
use process_model::{ActionReport, Assignment, InstanceId, InstanceReport, RunReport};
use runner_domain::{Leadership, Memo};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// Reports in one message.
const BATCH: usize = 32;

#[derive(Default)]
pub(super) struct Journal {
    pub(super) instances: BTreeMap<InstanceId, Stored>,
    outbox: VecDeque<(u64, Reported)>,
    newest: u64,
    pub(super) newest_run: u64,
    pub(super) leadership: Leadership,
    pub(super) cluster: Option<String>,
}

/// An instance in the journal.
#[derive(Clone)]
pub(super) struct Stored {
    pub(super) assignment: Arc<Assignment>,
    pub(super) memo: Option<Memo>,
    /// The keeper has said that the run of the memo began.
    pub(super) began: bool,
    /// What the memo is about, when the assignment is newer.
    pub(super) before: Option<Arc<Assignment>>,
}

#[derive(Clone)]
pub(super) enum Reported {
    Instance(InstanceReport),
    Action(ActionReport),
    Run(RunReport),
}

impl Journal {
    pub(super) fn assigned(&mut self, assignment: Arc<Assignment>) {
        match self.instances.get_mut(&assignment.instance) {
            Some(stored) => {
                let old = std::mem::replace(&mut stored.assignment, assignment);
                if stored.memo.is_some() && old.generation != stored.assignment.generation {
                    stored.before.get_or_insert(old);
                }
            }
            None => {
                let stored = Stored { assignment: assignment.clone(), memo: None, began: false, before: None };
                self.instances.insert(assignment.instance.clone(), stored);
            }
        }
    }

    pub(super) fn stepped(&mut self, instance: &InstanceId, memo: Memo, began: bool) {
        self.newest_run = self.newest_run.max(memo.run.map_or(0, |run| run.0));
        if let Some(stored) = self.instances.get_mut(instance) {
            stored.before.take_if(|_| memo.generation >= stored.assignment.generation);
            stored.began = began && memo.run.is_some();
            stored.memo = Some(memo);
        }
    }

    pub(super) fn report(&mut self, mut report: Reported, tell: &Oracle) {
        self.newest += 1;
        match &mut report {
            Reported::Instance(report) => report.seq = self.newest,
            Reported::Run(report) => report.seq = self.newest,
            Reported::Action(_) => {}
        }
        tell.note(|| match &report {
            Reported::Instance(said) => format!("{} is {:?}: {}", said.instance, said.phase, said.event_type),
            Reported::Run(said) => format!("run {} of {}: {:?}", said.run, said.instance, said.outcome),
            Reported::Action(said) => format!("{} is {:?}: {}", said.action, said.state, said.message),
        });
        self.outbox.push_back((self.newest, report));
    }

    /// The oldest that nobody confirmed.
    pub(super) fn unconfirmed(&self) -> Vec<(u64, Reported)> {
        self.outbox.iter().take(BATCH).cloned().collect()
    }

    pub(super) fn has_reports(&self) -> bool {
        !self.outbox.is_empty()
    }

    pub(super) fn acknowledged(&mut self, upto: u64) {
        self.outbox.retain(|(seq, _)| *seq > upto);
    }
}
