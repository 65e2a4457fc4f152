//! What of a machine survives the runner's death. Kept in the runner's
//! journal; read by later versions, so fields are only ever added.

use crate::adopting::Interrupted;
use crate::recent::Recent;
use crate::runs::{Current, Occasion};
use crate::state::{AfterStop, Ended, Rest, StopStage};
use crate::{Machine, RunId, State};
use process_model::{ExitStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// The lasting part of a machine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Memo {
    /// The run that is alive or being started.
    pub run: Option<RunId>,
    /// Why nothing runs, when nothing does.
    pub rest: Option<Rest>,
    /// When the next restart is due, and why.
    pub backoff: Option<(Timestamp, String)>,
    /// How the run before that ended by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<ExitStatus>,
    /// Newest request to restart that was carried out.
    pub restarts_asked: u64,
    /// Restarts since it was last started on request.
    pub restarts: u32,
    /// Restarts since it last ran for long enough.
    pub streak: u32,
    /// How the last run ended.
    pub last_exit: Option<ExitStatus>,
    /// When the current or last run began.
    pub started: Option<Timestamp>,
    /// What comes after the stop that is going on.
    #[serde(default)]
    pub after_stop: Option<AfterStop>,
    /// Whether the instance has to go.
    pub removing: bool,
    /// Generation of the assignment that it followed.
    #[serde(default)]
    pub generation: u64,
    /// How far the stop that is going on has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stop_stage: Option<StopStage>,
    /// The run whose `post_stop` hook goes on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleaning: Option<RunId>,
    /// Whether the `pre_start` hook of the run goes on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub preparing: bool,
    /// Whether the `post_start` hook of the run goes on.
    #[serde(default, skip_serializing_if = "is_false")]
    pub settling: bool,
    /// Whether it is ready.
    #[serde(default, skip_serializing_if = "is_false")]
    pub ready: bool,
    /// What has to happen elsewhere before it starts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub waiting: Option<String>,
    /// When its schedule said that it is due next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_due: Option<Timestamp>,
    /// Whether it runs once more after the run that goes on; see `queued_for`.
    #[serde(default, skip_serializing_if = "is_false")]
    pub queued: bool,
    /// Restarts within the window of its limit.
    #[serde(default, skip_serializing_if = "Recent::is_empty")]
    pub recent: Recent,
    /// What it runs once more for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub queued_for: Option<Occasion>,
    /// What the start that comes next is for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub occasion: Option<Occasion>,
    /// The run that goes on, of what runs to an end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub current: Option<Box<Current>>,
}

#[allow(clippy::trivially_copy_pass_by_ref)] // As serde wants it.
fn is_false(value: &bool) -> bool {
    !value
}

impl From<&Machine> for Memo {
    fn from(machine: &Machine) -> Self {
        let mut memo = Self {
            run: machine.state.run(),
            restarts_asked: machine.restarts_asked,
            restarts: machine.restarts,
            streak: machine.streak,
            last_exit: machine.last_exit.clone(),
            started: machine.started,
            removing: machine.removing,
            generation: machine.assignment.generation,
            ..Self::default()
        };
        match &machine.state {
            State::AtRest(rest) => memo.rest = Some(rest.clone()),
            State::Waiting { why } => memo.waiting = Some(why.clone()),
            State::Starting { preparing, .. } => memo.preparing = *preparing,
            State::Running { health, .. } => {
                memo.settling = health.settling;
                memo.ready = health.serves;
            }
            State::Stopping(stop) => {
                memo.after_stop = Some(stop.then.clone());
                memo.stop_stage = Some(stop.stage);
            }
            State::Cleaning { run, then } => {
                memo.after_stop = Some(then.clone());
                memo.cleaning = Some(*run);
            }
            State::Backoff { due, ended } => {
                memo.backoff = Some((*due, ended.why.clone()));
                memo.ended.clone_from(&ended.status);
            }
            State::Stuck { then, .. } => {
                memo.after_stop = Some(then.clone());
                memo.stop_stage = Some(StopStage::Killed);
            }
        }
        if let Some(rare) = &machine.rare {
            memo.next_due = rare.next_due;
            (memo.queued, memo.queued_for) = (rare.queued.is_some(), rare.queued);
            memo.recent.clone_from(&rare.recent);
            memo.occasion = rare.occasion;
            memo.current.clone_from(&rare.current);
        }
        // What the runner before left undone, and this one has not taken up yet, is still to be done.
        if let Some(interrupted) = &machine.interrupted {
            if let Some((then, stage)) = &interrupted.stop {
                memo.after_stop = Some(then.clone());
                memo.stop_stage = Some(*stage);
            }
            memo.settling |= interrupted.settling;
            memo.ready |= interrupted.ready;
        }
        memo
    }
}

impl Memo {
    pub(crate) fn apply_to(&self, machine: &mut Machine) {
        machine.restarts_asked = self.restarts_asked;
        machine.restarts = self.restarts;
        machine.streak = self.streak;
        machine.last_exit = self.last_exit.clone();
        machine.started = self.started;
        machine.removing = self.removing;
        // A runner of before did not say for which time.
        let queued = self.queued_for.or_else(|| self.queued.then(Occasion::unknown_time));
        let has_runs = queued.is_some() || self.occasion.is_some() || self.current.is_some();
        if self.next_due.is_some() || has_runs || !self.recent.is_empty() {
            let rare = machine.rare_mut();
            rare.next_due = self.next_due;
            rare.queued = queued;
            rare.recent.clone_from(&self.recent);
            rare.occasion = self.occasion;
            rare.current.clone_from(&self.current);
        }
        machine.state = match (self.run, &self.rest, &self.backoff, self.cleaning, &self.waiting) {
            // The caller says next what became of the run.
            (Some(run), ..) => {
                // Of a version before this one: it began every stop anew.
                let stage = self.stop_stage.unwrap_or(StopStage::AwaitingSpawn);
                let stop = self.after_stop.clone().map(|then| (then, stage));
                if stop.is_some() || self.settling || self.ready {
                    let interrupted = Interrupted { stop, settling: self.settling, ready: self.ready };
                    machine.interrupted = Some(Box::new(interrupted));
                }
                State::Starting { run, preparing: self.preparing }
            }
            (None, Some(rest), ..) => State::AtRest(rest.clone()),
            (None, None, Some((due, why)), ..) => {
                State::Backoff { due: *due, ended: Ended { why: why.clone(), status: self.ended.clone() } }
            }
            (None, None, None, Some(run), _) => {
                // Without a word of what comes after it, what is wanted decides.
                let then = self.after_stop.clone().unwrap_or(AfterStop::Start);
                State::Cleaning { run, then }
            }
            (None, None, None, None, Some(why)) => State::Waiting { why: why.clone() },
            (None, None, None, None, None) => State::AtRest(Rest::Fresh),
        };
    }
}
