//! Runs of what runs to an end, as they are told: each when its program was
//! started and when it is over, and each time of the schedule that led to none.
//!
//! ```text
//! a time, a request, a restart ─▶ occasion ─ start ─▶ current ─ spawned ─▶ told ─ nobody left ─▶ told
//! ```
//! Both are kept in the memo: a runner that dies loses no run's end and no
//! reason of its beginning.

use crate::{Context, Effect, Machine, RunId, state::AfterStop};
use process_model::{ExitStatus, RunOutcome, RunReport, RunTrigger, Timestamp};
use serde::{Deserialize, Serialize};

/// Why a run begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Occasion {
    /// When it was planned; a restart has the time of the run before.
    pub due: Option<Timestamp>,
    /// Why.
    pub trigger: RunTrigger,
}

impl Occasion {
    /// A time of the schedule that nobody wrote down.
    pub(crate) fn unknown_time() -> Self {
        Self { due: None, trigger: RunTrigger::Schedule }
    }
}

/// The run that goes on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Current {
    /// Which.
    pub run: RunId,
    /// Why it began.
    pub occasion: Occasion,
    /// When its program was started.
    #[serde(default)]
    pub began: Option<Timestamp>,
    /// When its main process ended.
    #[serde(default)]
    pub ended: Option<Timestamp>,
    /// Why its program could not be started.
    #[serde(default)]
    pub failed: Option<String>,
}

impl Machine {
    /// Somebody asks for a start: what was to be tried again is the request's.
    pub(crate) fn note_request(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.occasion.take_if(|occasion| !occasion.trigger.is_planned());
        }
    }

    /// The run that goes on was interrupted, and is begun once more for the same
    /// time.
    pub(crate) fn note_again(&mut self) {
        if let Some(rare) = &mut self.rare
            && let Some(current) = &rare.current
        {
            let again = Occasion { due: current.occasion.due, trigger: RunTrigger::Restart };
            rare.occasion.get_or_insert(again);
        }
    }

    /// The run that was to begin has not, and waits once more.
    pub(crate) fn note_put_off(&mut self) {
        if let Some(rare) = &mut self.rare
            && let Some(current) = rare.current.take()
        {
            rare.occasion = Some(current.occasion);
        }
    }

    /// A run begins.
    pub(crate) fn note_begin(&mut self, run: RunId) {
        if !self.spec().runs_to_an_end() {
            return;
        }
        let rare = self.rare_mut();
        let occasion = rare.occasion.take().unwrap_or_default();
        rare.current = Some(Box::new(Current { run, occasion, began: None, ended: None, failed: None }));
    }

    /// Its program was started.
    pub(crate) fn note_started(&mut self, run: RunId, at: Timestamp) {
        let Some(current) = self.current(run).filter(|current| current.began.is_none()) else { return };
        current.began = Some(at);
        let current = current.clone();
        self.tell(current, RunOutcome::Running);
    }

    /// Its program could not be started.
    pub(crate) fn note_failed(&mut self, run: RunId, why: &str) {
        if let Some(current) = self.current(run) {
            current.failed = Some(why.to_owned());
        }
    }

    /// Its main process ended.
    pub(crate) fn note_exit(&mut self, run: RunId, at: Timestamp) {
        if let Some(current) = self.current(run) {
            current.ended.get_or_insert(at);
        }
    }

    /// Nobody of its tree is left. What is tried again is tried for the same
    /// time.
    pub(crate) fn note_over(&mut self, run: RunId, then: &AfterStop, ctx: &Context) {
        match then {
            AfterStop::Restart | AfterStop::Delay { .. } => self.note_again(),
            AfterStop::Start | AfterStop::Rest(_) => {}
        }
        let of_run = self.rare.as_mut().and_then(|rare| rare.current.take_if(|current| current.run == run));
        let Some(mut current) = of_run.map(|current| *current) else { return };
        let has_run = current.began.is_some() || current.ended.is_some();
        let outcome = if has_run {
            current.ended.get_or_insert(ctx.wall);
            let unseen = || ExitStatus::Unknown("nobody saw it".to_owned());
            RunOutcome::Ended(self.last_exit.clone().unwrap_or_else(unseen))
        } else {
            let why = current.failed.take();
            RunOutcome::NotStarted(why.unwrap_or_else(|| "stopped before it was started".to_owned()))
        };
        self.tell(current, outcome);
    }

    /// A time of the schedule leads to no run.
    pub(crate) fn note_left_out(&mut self, occasion: Occasion, outcome: RunOutcome) {
        let none = RunId(0);
        self.tell(Current { run: none, occasion, began: None, ended: None, failed: None }, outcome);
    }

    /// What was to begin later does not.
    pub(crate) fn drop_occasions(&mut self) {
        let Some(rare) = &mut self.rare else { return };
        for occasion in [rare.occasion.take(), rare.queued.take()].into_iter().flatten() {
            if occasion.trigger.is_planned() {
                self.note_left_out(occasion, RunOutcome::Skipped("stopped before its turn".to_owned()));
            }
        }
    }

    fn current(&mut self, run: RunId) -> Option<&mut Current> {
        self.rare.as_mut()?.current.as_deref_mut().filter(|current| current.run == run)
    }

    fn tell(&mut self, current: Current, outcome: RunOutcome) {
        let report = RunReport {
            instance: self.assignment.instance.clone(),
            // Given by the journal.
            seq: 0,
            generation: self.assignment.generation,
            run: current.run.0,
            due: current.occasion.due,
            trigger: current.occasion.trigger,
            began: current.began,
            ended: current.ended,
            outcome,
            next_due: self.next_run(),
        };
        self.push(Effect::Ran(Box::new(report)));
    }
}
