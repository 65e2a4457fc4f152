//! The private states of an instance, and the one place that maps them to the
//! public phases.

use crate::{RunId, health::Health, moment::Moment};
use process_model::{ExitStatus, Phase};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Where an instance is. Each variant holds only what is valid then.
#[derive(Debug, Clone, PartialEq)]
pub enum State {
    /// Nothing runs; without a schedule, nothing is going to happen by itself.
    AtRest(Rest),
    /// It is to start, and something has to happen elsewhere first.
    Waiting {
        /// What, in words.
        why: String,
    },
    /// The program is being started.
    Starting {
        /// The run.
        run: RunId,
        /// Whether the `pre_start` hook goes on: the keeper has not been asked
        /// for the program.
        preparing: bool,
    },
    /// The program runs.
    Running {
        /// The run.
        run: RunId,
        /// Its main process, or the one that it named as such.
        pid: u32,
        /// When it began.
        since: Moment,
        /// What is known of how it does.
        health: Health,
    },
    /// The tree is being ended.
    Stopping(Box<Stop>),
    /// Nobody of the tree is left; the `post_stop` hook goes on.
    Cleaning {
        /// The run that is over.
        run: RunId,
        /// What comes after it.
        then: AfterStop,
    },
    /// Waiting for the next start.
    Backoff {
        /// When it is due, by the wall clock: for people.
        due: process_model::Timestamp,
        /// What is waited after.
        ended: Ended,
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

/// A stop that goes on.
#[derive(Debug, Clone, PartialEq)]
pub struct Stop {
    /// The run.
    pub run: RunId,
    /// Its main process; `None` once that has ended.
    pub pid: Option<u32>,
    /// How far it has come.
    pub stage: StopStage,
    /// Whether a command of ours goes on.
    pub commanding: bool,
    /// What comes when nobody is left.
    pub then: AfterStop,
    /// When it began.
    pub began: Moment,
    /// When SIGKILL comes at the latest, because somebody asked for that.
    pub by: Option<Moment>,
    /// When the present stage is over.
    pub until: Moment,
}

/// How far a stop has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StopStage {
    /// The stop was asked for before the program had been started.
    AwaitingSpawn,
    /// The `pre_stop` hook goes on.
    PreStop,
    /// This step of the spec's steps goes on; without any, the signal is the
    /// only one.
    Step(usize),
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
        /// After what.
        #[serde(flatten)]
        ended: Ended,
    },
}

/// How a run ended that is followed by another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ended {
    /// Why, in words.
    pub why: String,
    /// How the program ended by itself; `None`: it could not be started, or did
    /// not do what it should.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<ExitStatus>,
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
    /// Its schedule is followed, and its time has not come.
    Scheduled,
    /// Ended by itself with success.
    Exited,
    /// Given up; why, in words.
    Failed(String),
}

impl State {
    /// What comes when what goes on is over, to be changed.
    pub(crate) fn aim_mut(&mut self) -> Option<&mut AfterStop> {
        match self {
            Self::Stopping(stop) => Some(&mut stop.then),
            Self::Cleaning { then, .. } | Self::Stuck { then, .. } => Some(then),
            Self::AtRest(_)
            | Self::Waiting { .. }
            | Self::Starting { .. }
            | Self::Running { .. }
            | Self::Backoff { .. } => None,
        }
    }

    /// The public phase of this state.
    #[must_use]
    pub fn phase(&self) -> Phase {
        match self {
            // Assigned but not to be started yet looks like stopped: nothing is on its way.
            Self::AtRest(Rest::Fresh | Rest::Stopped | Rest::Held | Rest::Scheduled) => Phase::Stopped,
            Self::AtRest(Rest::Exited) => Phase::Exited,
            Self::AtRest(Rest::Failed(_)) => Phase::Failed,
            Self::Waiting { .. } => Phase::Pending,
            Self::Starting { .. } => Phase::Starting,
            Self::Running { .. } => Phase::Running,
            // What is left to be done is a part of the stop.
            Self::Stopping(_) | Self::Cleaning { .. } => Phase::Stopping,
            Self::Backoff { .. } => Phase::Backoff,
            // Something of ours runs that nobody can end: a person has to look.
            Self::Stuck { .. } => Phase::Failed,
        }
    }

    /// The run that is alive or being started.
    #[must_use]
    pub fn run(&self) -> Option<RunId> {
        match self {
            Self::Starting { run, .. } | Self::Running { run, .. } | Self::Stuck { run, .. } => Some(*run),
            Self::Stopping(stop) => Some(stop.run),
            // Its run is over, and forgotten by the keeper.
            Self::Cleaning { .. } => None,
            Self::AtRest(_) | Self::Waiting { .. } | Self::Backoff { .. } => None,
        }
    }
}
