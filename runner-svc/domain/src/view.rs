//! The public view of an instance at one moment.

use crate::words;
use crate::{Machine, State, state::Rest};
use process_model::{ExitStatus, Phase, Timestamp};

/// The public view of an instance at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// Public phase.
    pub phase: Phase,
    /// Whether it serves.
    pub ready: bool,
    /// Main process; 0 when none runs.
    pub pid: u32,
    /// Restarts since it was last started on request.
    pub restarts: u32,
    /// How the last run ended.
    pub last_exit: Option<ExitStatus>,
    /// When the current or last run began.
    pub started: Option<Timestamp>,
    /// When the next restart is due, or the next run of a schedule.
    pub next_restart: Option<Timestamp>,
    /// Why it is in this phase, in words; may be empty.
    pub message: String,
    /// What the program says of itself (`STATUS=`); may be empty.
    pub status: String,
}

impl Machine {
    /// The public view.
    #[must_use]
    pub fn view(&self) -> View {
        let (ready, pid, next_restart, message) = match &self.state {
            State::Running { pid, health, .. } => (health.is_ready(), *pid, None, String::new()),
            State::Stopping(stop) => (false, stop.pid.unwrap_or(0), None, String::new()),
            State::Waiting { why } => (false, 0, None, format!("waits for {why}")),
            State::Backoff { due, ended } => (false, 0, Some(*due), ended.why.clone()),
            State::AtRest(rest) => (false, 0, self.next_run(), self.at_rest_in_words(rest)),
            State::Starting { .. } | State::Cleaning { .. } => (false, 0, None, String::new()),
            State::Stuck { .. } => (false, 0, None, "processes survived SIGKILL".to_owned()),
        };
        View {
            phase: self.state.phase(),
            ready,
            pid,
            restarts: self.restarts,
            last_exit: self.last_exit.clone(),
            started: self.started,
            next_restart,
            message,
            status: if pid == 0 {
                String::new()
            } else {
                self.rare.as_ref().map(|r| r.status.clone()).unwrap_or_default()
            },
        }
    }

    /// When a schedule that is followed says that the next run is due.
    pub(crate) fn next_run(&self) -> Option<Timestamp> {
        let followed = self.spec().schedule.is_some() && self.is_wanted();
        self.rare.as_ref().filter(|_| followed)?.next_due
    }

    pub(crate) fn at_rest_in_words(&self, rest: &Rest) -> String {
        let why = match rest {
            Rest::Failed(why) => why.clone(),
            Rest::Held => "stopped with its runner".to_owned(),
            Rest::Fresh | Rest::Stopped | Rest::Scheduled | Rest::Exited => String::new(),
        };
        match self.next_run() {
            Some(due) if why.is_empty() => format!("next run at {}", words::time(due)),
            Some(due) => format!("{why}; next run at {}", words::time(due)),
            None => why,
        }
    }
}
