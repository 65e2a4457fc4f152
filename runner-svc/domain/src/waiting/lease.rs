//! The lease of a singleton: it runs only while the registry is known to hold
//! this node for alive. Whether it is, is found out elsewhere and told; here
//! stands what follows.
//!
//! ```text
//! over ─▶ running: stopped in its steps, then waits      over ─▶ the keeper had to kill it: the same
//! valid ─▶ waiting: starts                               not told yet ─▶ does not start
//! ```

use crate::adopting::Interrupted;
use crate::{Context, Machine, RunId, State, state::AfterStop, state::StopStage};
use process_model::event_type;

/// What is known of the lease of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lease {
    /// Nobody has said.
    #[default]
    Unknown,
    /// The registry holds this node for alive.
    Valid,
    /// It may not do so any more.
    Over,
}

/// What a singleton waits for.
pub(crate) const UNCONFIRMED: &str = "the registry to confirm that this node may run it";

impl Machine {
    /// Whether this is a singleton that must not start now.
    pub(crate) fn lacks_lease(&self) -> bool {
        let lease = self.rare.as_ref().map_or(Lease::Unknown, |rare| rare.lease);
        self.spec().singleton.is_some() && lease != Lease::Valid
    }

    /// The lease of the node is valid from now on, or over.
    pub(crate) fn lease_told(&mut self, valid: bool, ctx: &Context) {
        self.rare_mut().lease = if valid { Lease::Valid } else { Lease::Over };
        if self.spec().singleton.is_none() {
            return;
        }
        match (&self.state, valid) {
            (State::Waiting { .. }, true) => self.look_again(ctx),
            (State::Running { .. } | State::Starting { .. }, false) => {
                let why = "no heartbeat was answered for as long as its lease: another node may get it; stopping it";
                self.report(event_type::INSTANCE_FENCED, why);
                self.note_again();
                self.stop_then(AfterStop::Start, ctx);
            }
            // It waits for its lease instead.
            (State::Backoff { .. }, false) => self.stop_then(AfterStop::Start, ctx),
            // It runs, or may start when its time comes.
            (
                State::AtRest(_)
                | State::Starting { .. }
                | State::Running { .. }
                | State::Stopping(_)
                | State::Cleaning { .. }
                | State::Backoff { .. }
                | State::Stuck { .. },
                true,
            ) => {}
            // Nothing runs, or it is ending already: no start comes after it.
            (
                State::AtRest(_)
                | State::Waiting { .. }
                | State::Stopping(_)
                | State::Cleaning { .. }
                | State::Stuck { .. },
                false,
            ) => {}
        }
    }

    /// What it waited for has changed.
    pub(crate) fn look_again(&mut self, ctx: &Context) {
        let State::Waiting { why } = &self.state else { return };
        match self.waiting_for() {
            None => self.start_now(ctx),
            Some(now) if now != why => {
                let now = now.to_owned();
                self.wait_for(now);
            }
            Some(_) => {}
        }
    }

    /// The keeper has killed it: the lease was over, and nobody else had ended
    /// it.
    pub(crate) fn fenced(&mut self, run: RunId, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        self.rare_mut().lease = Lease::Over;
        let why = "its lease was over and it still ran: its keeper sent SIGKILL to all of it";
        match &self.state {
            State::Running { pid, .. } => {
                let pid = *pid;
                self.report(event_type::INSTANCE_FENCED, why);
                self.note_again();
                self.begin_stop_at(run, Some(pid), AfterStop::Start, StopStage::Killed, ctx);
            }
            // Heard by a runner that takes over: what became of the run comes next. It is no end of its own.
            State::Starting { .. } => {
                self.report(event_type::INSTANCE_FENCED, why);
                let before = self.interrupted.take().map(|interrupted| *interrupted).unwrap_or_default();
                let stop = before.stop.or(Some((AfterStop::Start, StopStage::Killed)));
                self.interrupted = Some(Box::new(Interrupted { stop, ..before }));
            }
            State::Stopping(_) | State::Stuck { .. } => self.report(event_type::INSTANCE_FENCED, why),
            // No run: `is_current` was false.
            State::AtRest(_) | State::Waiting { .. } | State::Cleaning { .. } | State::Backoff { .. } => {}
        }
    }
}
