//! What a step has to leave behind before it has any effect: the memo in the
//! journal, and the reports that tell of it.

use super::driver::Instance;
use super::survivors;
use crate::clock;
use crate::io::journal::Reported;
use crate::io::last_lines;
use crate::notice::{Notice, NoticeKind};
use process_model::{InstanceReport, RunReport, event_type};
use runner_domain::{Effect, Memo};

/// Lines of output on events that a person will ask about.
const LINES: usize = 100;

impl Instance {
    /// Writes down where the machine is and what `effects` tell. Without
    /// effects nothing has changed that a successor needs, unless `anyway`.
    pub(super) fn persist(&mut self, effects: &[Effect], anyway: bool) {
        let mut reports = Vec::new();
        for effect in effects {
            match effect {
                Effect::Report { event, message } => {
                    self.said.clone_from(message);
                    reports.push(Reported::Instance(self.report(event, message, false)));
                }
                Effect::Ran(run) => reports.push(Reported::Run(RunReport::clone(run))),
                Effect::Gone => {
                    reports.push(Reported::Instance(self.report(event_type::INSTANCE_REMOVED, "removed", true)));
                }
                Effect::Spawn { .. }
                | Effect::SignalTree { .. }
                | Effect::SignalMain { .. }
                | Effect::RunHook { .. }
                | Effect::RunStopHook { .. }
                | Effect::CancelHooks
                | Effect::ReleaseSockets
                | Effect::SetLogs { .. }
                | Effect::ForgetRun { .. }
                | Effect::Arm { .. }
                | Effect::Disarm { .. }
                | Effect::Observe { .. }
                | Effect::Unobserve => {}
            }
        }
        self.untold.extend(reports.iter().filter_map(|reported| match reported {
            Reported::Instance(report) => Some(notice(report)),
            // Told with the event that goes with it.
            Reported::Run(_) | Reported::Action(_) => None,
        }));
        // A program that says WATCHDOG=1 every second changes nothing that a successor needs.
        let lasting = effects.iter().any(|effect| !matches!(effect, Effect::Arm { .. } | Effect::Disarm { .. }));
        if lasting || anyway {
            let main = self.main.filter(|_| self.machine.state().run().is_some());
            self.deps.journal.stepped(self.machine.instance(), Memo::from(&self.machine), main, reports);
        }
    }

    /// Reports what it is, though nothing has happened.
    pub(super) fn tell_again(&mut self) {
        let said = match self.said.as_str() {
            // Of a run before this runner's time.
            "" => self.machine.view().phase.to_string(),
            said => said.to_owned(),
        };
        let report = self.report(event_type::INSTANCE_ADOPTED, &format!("as before: {said}"), false);
        self.deps.journal.report(report);
    }

    fn report(&self, event: &str, message: &str, gone: bool) -> InstanceReport {
        let view = self.machine.view();
        let mut message = message.to_owned();
        let mut log_lines = Vec::new();
        if event == event_type::INSTANCE_FAILED {
            // Bounded to what a file system has at hand; a step is not done before it is told.
            log_lines = last_lines::last_lines(&self.log_files(), LINES);
        }
        if event == event_type::INSTANCE_STOP_FAILED
            && let Some(left) = self.main.map(survivors::in_words).filter(|left| !left.is_empty())
        {
            message += &format!(": {left}");
        }
        InstanceReport {
            instance: self.machine.instance().clone(),
            // Given by the journal.
            seq: 0,
            generation: self.machine.assignment().generation,
            event_type: event.to_owned(),
            time: clock::wall(),
            phase: view.phase,
            ready: view.ready,
            pid: view.pid,
            restarts: view.restarts,
            last_exit: view.last_exit,
            started: view.started,
            message,
            next_restart: view.next_restart,
            gone,
            containment: if view.pid == 0 { String::new() } else { self.containment() },
            status: view.status,
            log_lines,
        }
    }

    /// What holds the tree of the run together: as its record said, or as the
    /// keeper does it.
    fn containment(&self) -> String {
        let told = Some(&self.containment).filter(|containment| !containment.is_empty()).cloned();
        told.unwrap_or_else(|| self.deps.keeper.health().containment).to_string()
    }
}

/// What whoever hosts the runner is told of a report.
fn notice(report: &InstanceReport) -> Notice {
    tracing::debug!(instance = %report.instance, event = report.event_type, message = report.message, "instance event");
    Notice {
        time: report.time,
        instance: report.instance.clone(),
        kind: NoticeKind::Lifecycle { event: report.event_type.clone() },
        text: report.message.clone(),
    }
}
