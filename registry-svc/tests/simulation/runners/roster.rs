//! What belongs on a node now: updates of the registry become inputs.

use super::Node;
use super::journal::Reported;
use process_model::{Assignment, InstanceId, InstanceReport, Phase, event_type};
use runner_domain::Input;
use std::collections::BTreeSet;
use std::sync::Arc;

/// An update, whole.
#[derive(Default)]
pub(super) struct Update {
    pub(super) full: bool,
    pub(super) set: Vec<Assignment>,
    pub(super) removed: Vec<(InstanceId, u64)>,
}

impl Node {
    pub(super) fn assign(self: &Arc<Self>, update: Update) {
        let mut go = update.removed;
        if update.full {
            let stay: BTreeSet<&InstanceId> = update.set.iter().map(|assignment| &assignment.instance).collect();
            go.extend(self.lock().instances.keys().filter(|id| !stay.contains(id)).map(|id| (id.clone(), 0)));
        }
        for (id, generation) in go {
            let is_here = self.lock().instances.contains_key(&id);
            if is_here { self.hear_of(&id, Input::Unassigned) } else { self.never_here(id, generation) }
        }
        for assignment in update.set.into_iter().map(Arc::new) {
            let id = assignment.instance.clone();
            let is_here = {
                let mut state = self.lock();
                state.journal.assigned(assignment.clone());
                state.instances.contains_key(&id)
            };
            if is_here { self.hear_of(&id, Input::Assigned(assignment)) } else { self.begin(assignment) }
        }
    }

    /// The registry waits to hear that it is gone, even if it never was here.
    fn never_here(&self, instance: InstanceId, generation: u64) {
        let report = InstanceReport {
            instance,
            seq: 0,
            generation,
            event_type: event_type::INSTANCE_REMOVED.to_owned(),
            time: self.wall(),
            phase: Phase::Stopped,
            ready: false,
            pid: 0,
            restarts: 0,
            last_exit: None,
            started: None,
            message: "nothing of it is on this node".to_owned(),
            next_restart: None,
            gone: true,
            containment: String::new(),
            status: String::new(),
            log_lines: Vec::new(),
        };
        self.lock().journal.report(Reported::Instance(report), &self.judge.oracle);
        self.news.notify_one();
    }
}
