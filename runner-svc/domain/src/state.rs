//! The private states of an instance, and the one place that maps them to the
//! public phases.

use crate::RunId;
use process_model::{ExitStatus, Phase, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where an instance is. Each variant holds only what is valid then.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing runs and nothing is going to happen by itself.
    AtRest(Rest),
    /// The program is being started.
    Starting {
        /// The run.
        run: RunId,
    },
    /// The program runs.
    Running {
        /// The run.
        run: RunId,
        /// Its main process.
        pid: u32,
        /// When it began, by the monotonic clock.
        since: Duration,
        /// Whether it serves.
        ready: bool,
        /// Probe failures in a row.
        probe_failures: u32,
    },
    /// The tree is being ended.
    Stopping {
        /// The run.
        run: RunId,
        /// Its main process; `None` once that has ended.
        pid: Option<u32>,
        /// How far the stop sequence has come.
        stage: StopStage,
        /// What comes when nobody is left.
        then: AfterStop,
    },
    /// Waiting for the next start.
    Backoff {
        /// When it is due, by the wall clock: for people.
        due: Timestamp,
        /// Why the last run ended, in words.
        why: String,
    },
    /// Somebody of the tree survived SIGKILL. Not started again until the
    /// kernel says that nobody is left.
    Stuck {
        /// The run.
        run: RunId,
        /// What comes when nobody is left.
        then: AfterStop,
    },
}

/// How far the stop sequence has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopStage {
    /// The stop was asked for before the program had been started.
    AwaitingSpawn,
    /// The stop signal was sent.
    Signalled,
    /// SIGKILL was sent.
    Killed,
}

/// What comes when nobody of the tree is left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AfterStop {
    /// Rest.
    Rest(Rest),
    /// Start again at once, because it was asked for.
    Start,
    /// Start again at once, as a restart that counts.
    Restart,
    /// Start again after this delay, as a restart that counts.
    Delay {
        /// The delay.
        delay: Duration,
        /// Why the last run ended, in words.
        why: String,
    },
}

/// Why nothing runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Rest {
    /// Never started.
    Fresh,
    /// Stopped on request.
    Stopped,
    /// Stopped because the runner shut down; starts with the next runner.
    Held,
    /// Ended by itself with success.
    Exited,
    /// Given up; why, in words.
    Failed(String),
}

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
    /// When the next restart is due.
    pub next_restart: Option<Timestamp>,
    /// Why it is in this phase, in words; may be empty.
    pub message: String,
}

impl State {
    /// The public phase of this state.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            // Assigned but not to be started yet looks like stopped: nothing is on its way.
            Self::AtRest(Rest::Fresh | Rest::Stopped | Rest::Held) => Phase::Stopped,
            Self::AtRest(Rest::Exited) => Phase::Exited,
            Self::AtRest(Rest::Failed(_)) => Phase::Failed,
            Self::Starting { .. } => Phase::Starting,
            Self::Running { .. } => Phase::Running,
            Self::Stopping { .. } => Phase::Stopping,
            Self::Backoff { .. } => Phase::Backoff,
            // Something of ours runs that nobody can end: a person has to look.
            Self::Stuck { .. } => Phase::Failed,
        }
    }

    /// The run that is alive or being started.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Starting { run }
            | Self::Running { run, .. }
            | Self::Stopping { run, .. }
            | Self::Stuck { run, .. } => Some(*run),
            Self::AtRest(_) | Self::Backoff { .. } => None,
        }
    }
}
