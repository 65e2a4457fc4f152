//! What probes and the log watchdog saw.

use crate::{Context, Machine, RunId, State, state::AfterStop, state::Rest};
use process_model::event_type;
use process_model::spec::RestartMode;
use std::time::Duration;

impl Machine {
    pub(crate) fn probe_succeeded(&mut self, run: RunId) {
        if !self.is_current(run) {
            return;
        }
        // Only a running instance has a probe; in any other state the answer came late.
        if let State::Running { ready, probe_failures, .. } = &mut self.state {
            *probe_failures = 0;
            if !*ready {
                *ready = true;
                self.report(event_type::INSTANCE_READY, "ready");
            }
        }
    }

    pub(crate) fn probe_failed(&mut self, run: RunId, why: &str) {
        if !self.is_current(run) {
            return;
        }
        let threshold = self.spec().readiness.as_ref().map_or(1, |probe| probe.failure_threshold);
        if let State::Running { ready, probe_failures, .. } = &mut self.state {
            *probe_failures = probe_failures.saturating_add(1);
            if *ready && *probe_failures >= threshold {
                *ready = false;
                let message = format!("not ready: {why} ({threshold} probes in a row failed)");
                self.report(event_type::INSTANCE_UNREADY, message);
            }
        }
    }

    pub(crate) fn went_silent(&mut self, run: RunId, silence: Duration, ctx: &Context) {
        if !self.is_current(run) {
            return;
        }
        // Only a running instance is watched; in any other state the news came late.
        if let State::Running { pid, since, .. } = self.state {
            self.forgive_if_stable(since, ctx);
            let why = format!("no log activity for {:.0} s", silence.as_secs_f64());
            let policy = &self.spec().restart;
            let exhausted = policy.max_restarts > 0 && self.streak >= policy.max_restarts;
            let then = match policy.mode {
                RestartMode::Never => AfterStop::Rest(Rest::Failed(why.clone())),
                RestartMode::Always | RestartMode::OnFailure if exhausted => {
                    AfterStop::Rest(Rest::Failed(format!("{why}; gave up after {} restarts in a row", self.streak)))
                }
                RestartMode::Always | RestartMode::OnFailure => AfterStop::Restart,
            };
            let next = match then {
                AfterStop::Restart => "restarting",
                AfterStop::Rest(_) | AfterStop::Start | AfterStop::Delay { .. } => "stopping",
            };
            self.report(event_type::INSTANCE_WATCHDOG, format!("{why}; {next}"));
            self.begin_stop(run, Some(pid), then);
        }
    }
}
