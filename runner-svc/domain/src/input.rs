//! What can happen to an instance.

use process_model::{Assignment, ExitStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// One run of a program: unique on a node for ever. Whatever belongs to an
/// older run is ignored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(pub u64);

/// Time and chance at the moment of an input.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Context {
    /// Monotonic time since an arbitrary start: for intervals.
    pub now: Duration,
    /// Wall-clock time: for records.
    pub wall: Timestamp,
    /// A random number from 0 to 1: for jitter.
    pub roll: f64,
    /// Id for a run that this step may start.
    pub next_run: RunId,
}

/// What can happen to an instance.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The registry (or the cache) says what should be.
    Assigned(Assignment),
    /// The instance has to go.
    Unassigned,
    /// The runner shuts down and takes its instances with it: stop, but stay
    /// wanted.
    Held,
    /// A stop was asked for with a timeout of its own.
    StopTimeoutGiven(Duration),
    /// The program runs.
    Spawned {
        /// The run.
        run: RunId,
        /// Its main process.
        pid: u32,
        /// When it began.
        started: Timestamp,
    },
    /// The program could not be started.
    SpawnFailed {
        /// The run.
        run: RunId,
        /// Why.
        error: SpawnError,
    },
    /// The main process ended.
    Exited {
        /// The run.
        run: RunId,
        /// How.
        status: ExitStatus,
        /// When, by the wall clock.
        at: Timestamp,
        /// Whether nobody of its tree is left.
        tree_empty: bool,
    },
    /// The last process of the tree ended, after the main process.
    TreeEmptied {
        /// The run.
        run: RunId,
    },
    /// A new runner found the run alive.
    Adopted {
        /// The run.
        run: RunId,
        /// Its main process.
        pid: u32,
        /// When it began.
        started: Timestamp,
        /// How long it has been running.
        age: Duration,
    },
    /// A new runner did not find a run that there should be.
    RunLost {
        /// The run.
        run: RunId,
        /// Whether the node was booted since.
        rebooted: bool,
    },
    /// A timer ran out.
    TimerFired(crate::Timer),
    /// The readiness probe agreed.
    ProbeSucceeded {
        /// The run that was probed.
        run: RunId,
    },
    /// The readiness probe failed.
    ProbeFailed {
        /// The run that was probed.
        run: RunId,
        /// Why.
        why: String,
    },
    /// The watched log file showed no activity for too long.
    WentSilent {
        /// The run.
        run: RunId,
        /// For how long.
        silence: Duration,
    },
}

/// Why a program could not be started: the stage and the kernel's reason.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpawnError {
    /// The stage, as `exec`, `chdir`, `user`, `log`.
    pub stage: String,
    /// What was tried, and why it failed.
    pub message: String,
}

impl std::fmt::Display for SpawnError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.stage, self.message)
    }
}
