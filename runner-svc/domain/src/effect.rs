//! What the machine asks for. Plain data: comparable in tests, printable in
//! logs.

use crate::RunId;
use process_model::spec::Signal;
use std::time::Duration;

/// A timer of an instance; arming it anew replaces it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Timer {
    /// The next start is due.
    Restart,
    /// The current step of the stop sequence has lasted long enough.
    Stop,
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
    /// Nothing is left: forget the instance.
    Gone,
}
