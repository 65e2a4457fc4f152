//! What the machine asks for. Plain data: comparable in tests, printable in
//! logs.

use crate::RunId;
use process_model::RunReport;
use process_model::spec::{HookKind, Signal};
use std::time::Duration;

/// A timer of an instance; arming it anew replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The next start is due.
    Restart,
    /// The current step of the stop sequence has lasted long enough.
    Stop,
    /// The program has not said `WATCHDOG=1` for too long.
    Watchdog,
    /// The run has lasted as long as it may.
    MaxRuntime,
    /// The program says nothing of the reload that it was asked for.
    Reload,
}

/// What the machine asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Start the program of the current assignment.
    Spawn {
        /// As this run.
        run: RunId,
    },
    /// Send a signal to every process of the run's tree.
    SignalTree {
        /// The run.
        run: RunId,
        /// The signal.
        signal: Signal,
    },
    /// Send a signal to the main process of a run alone.
    SignalMain {
        /// The run.
        run: RunId,
        /// The signal.
        signal: Signal,
    },
    /// Run a hook of the current spec; `HookEnded` follows in any case, within
    /// the hook's time-out.
    RunHook {
        /// The run that it belongs to.
        run: RunId,
        /// Which.
        hook: HookKind,
    },
    /// Run the command of a step of the stop; `StopHookEnded` follows.
    RunStopHook {
        /// The run that is being stopped.
        run: RunId,
        /// Which step.
        step: usize,
    },
    /// Kill the hook or command that goes on, if one does; nothing follows.
    CancelHooks,
    /// Nothing of it is going to run, or it has other sockets now: what is held
    /// for it between runs, and not wanted any more, may go.
    ReleaseSockets,
    /// Keep the output of the run as the spec says now.
    SetLogs {
        /// The run.
        run: RunId,
    },
    /// The run's ending has been taken in: its record may go.
    ForgetRun {
        /// The run.
        run: RunId,
    },
    /// Call back after this long.
    Arm {
        /// Which timer.
        timer: Timer,
        /// From now.
        after: Duration,
    },
    /// Do not call back.
    Disarm {
        /// Which timer.
        timer: Timer,
    },
    /// Begin probes and watchdog of the run, as the spec says.
    Observe {
        /// The run.
        run: RunId,
    },
    /// End them.
    Unobserve,
    /// Tell the registry, with the state after this step.
    Report {
        /// One of [`process_model::event_type`].
        event: &'static str,
        /// In words.
        message: String,
    },
    /// Tell the registry of a run, or of a time that led to none.
    Ran(Box<RunReport>),
    /// Nothing is left: forget the instance.
    Gone,
}
