//! What can happen to an instance.

use crate::schedule::Come;
use process_model::spec::{HookKind, LogAction, Signal};
use process_model::{Assignment, ExitStatus, Timestamp};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
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
    Assigned(Arc<Assignment>),
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
        /// Whether the kernel killed it because its memory was out.
        out_of_memory: bool,
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
    /// A new runner learns of a run that is over already; how it ended follows.
    Unseen {
        /// The run.
        run: RunId,
        /// What its main process was.
        pid: u32,
        /// When it began.
        started: Timestamp,
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
    /// The liveness probe agreed.
    LivenessSucceeded {
        /// The run that was probed.
        run: RunId,
    },
    /// The liveness probe failed.
    LivenessFailed {
        /// The run that was probed.
        run: RunId,
        /// Why.
        why: String,
    },
    /// The program said something on its `NOTIFY_SOCKET`.
    Notified {
        /// The run.
        run: RunId,
        /// What, in order.
        words: Vec<Notification>,
    },
    /// A hook ended.
    HookEnded {
        /// The run that it belongs to.
        run: RunId,
        /// Which.
        hook: HookKind,
        /// Why it failed, if it did.
        outcome: Result<(), String>,
    },
    /// A command among the steps of a stop ended.
    StopHookEnded {
        /// The run that is being stopped.
        run: RunId,
        /// Which step.
        step: usize,
        /// Why it failed, if it did.
        outcome: Result<(), String>,
    },
    /// The tree uses more memory than the restart policy lets it.
    MemoryExceeded {
        /// The run.
        run: RunId,
        /// Resident bytes of the tree.
        bytes: u64,
    },
    /// A limit was reached, or would have been in observe mode.
    LimitReached {
        /// The run.
        run: RunId,
        /// Which, and how, in words.
        message: String,
    },
    /// A line of output has the pattern of a log rule.
    LogMatched {
        /// The run.
        run: RunId,
        /// Name of the rule.
        rule: String,
        /// What follows.
        action: LogAction,
        /// The line, cut.
        line: String,
        /// Lines that were passed over since the rule last fired.
        suppressed: u64,
    },
    /// Output cannot be written, or can be again.
    LogTrouble {
        /// The run.
        run: RunId,
        /// What is wrong; empty: nothing any more.
        message: String,
        /// Bytes that are missing so far.
        dropped: u64,
    },
    /// What it waits for, here or on other nodes; `None`: nothing (any more).
    Dependencies {
        /// In words.
        waiting_for: Option<String>,
    },
    /// The lease of this node is valid from now on, or over.
    Lease {
        /// Which.
        valid: bool,
    },
    /// The lease was over, and the keeper killed what was left of the run.
    Fenced {
        /// The run.
        run: RunId,
    },
    /// The instance is to read its configuration anew.
    ReloadAsked,
    /// Its main process is to get a signal.
    SignalAsked(Signal),
    /// A time of its schedule has come.
    Due {
        /// Which, and what follows from it.
        come: Come,
        /// When it comes next; `None`: never again.
        next: Option<Timestamp>,
    },
    /// When its time comes next; `None`: never again.
    NextDue(Option<Timestamp>),
    /// The watched log file showed no activity for too long.
    WentSilent {
        /// The run.
        run: RunId,
        /// For how long.
        silence: Duration,
    },
}

/// What a program says of itself (sd_notify(3)).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notification {
    /// `READY=1`.
    Ready,
    /// `RELOADING=1`.
    Reloading,
    /// `STOPPING=1`.
    Stopping,
    /// `STATUS=…`.
    Status(String),
    /// `WATCHDOG=1`.
    Alive,
    /// `WATCHDOG=trigger`.
    Dead,
    /// `WATCHDOG_USEC=…`: from now on this is the longest silence.
    WatchdogInterval(Duration),
    /// `EXTEND_TIMEOUT_USEC=…`: what goes on now may take so much longer.
    ExtendTimeout(Duration),
    /// `MAINPID=…`.
    MainPid(u32),
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
