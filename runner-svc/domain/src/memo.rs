//! What of a machine survives the runner's death. Kept in the runner's
//! journal; read by later versions, so fields are only ever added.

use crate::{Machine, RunId, State, state::AfterStop, state::Rest};
use process_model::{ExitStatus, Timestamp};
use serde::{Deserialize, Serialize};

/// The lasting part of a machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Memo {
    /// The run that is alive or being started.
    pub run: Option<RunId>,
    /// Why nothing runs, when nothing does.
    pub rest: Option<Rest>,
    /// When the next restart is due, and why.
    pub backoff: Option<(Timestamp, String)>,
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
}

impl From<&Machine> for Memo {
    fn from(machine: &Machine) -> Self {
        let (rest, backoff) = match &machine.state {
            State::AtRest(rest) => (Some(rest.clone()), None),
            State::Backoff { due, why } => (None, Some((*due, why.clone()))),
            State::Starting { .. } | State::Running { .. } | State::Stopping { .. } | State::Stuck { .. } => {
                (None, None)
            }
        };
        let after_stop = match &machine.state {
            State::Stopping { then, .. } | State::Stuck { then, .. } => Some(then.clone()),
            State::AtRest(_) | State::Starting { .. } | State::Running { .. } | State::Backoff { .. } => None,
        };
        Self {
            after_stop,
            run: machine.state.run(),
            rest,
            backoff,
            restarts_asked: machine.restarts_asked,
            restarts: machine.restarts,
            streak: machine.streak,
            last_exit: machine.last_exit.clone(),
            started: machine.started,
            removing: machine.removing,
            generation: machine.assignment.generation,
        }
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
        machine.unfinished.clone_from(&self.after_stop);
        machine.state = match (&self.run, &self.rest, &self.backoff) {
            // The caller says next what became of the run.
            (Some(run), _, _) => State::Starting { run: *run },
            (None, Some(rest), _) => State::AtRest(rest.clone()),
            (None, None, Some((due, why))) => State::Backoff { due: *due, why: why.clone() },
            (None, None, None) => State::AtRest(Rest::Fresh),
        };
    }
}
