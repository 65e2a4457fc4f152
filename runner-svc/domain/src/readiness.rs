//! When a running instance counts as ready: the probe's or the program's own
//! word, and the end of the `post_start` hook.

use crate::health::Health;
use crate::{Machine, RunId, State};
use process_model::event_type;

impl Machine {
    /// Changes what is known, and tells when that makes it ready or unready.
    pub(crate) fn change_health(&mut self, why: &str, change: impl FnOnce(&mut Health)) {
        let State::Running { health, .. } = &mut self.state else { return };
        let before = health.is_ready();
        change(health);
        match (before, health.is_ready()) {
            (false, true) => self.report(event_type::INSTANCE_READY, "ready"),
            (true, false) => self.report(event_type::INSTANCE_UNREADY, format!("not ready: {why}")),
            (true, true) | (false, false) => {}
        }
    }

    pub(crate) fn probe_succeeded(&mut self, run: RunId) {
        if !self.is_current(run) {
            return;
        }
        let threshold = self.spec().readiness.as_ref().map_or(1, |probe| probe.success_threshold);
        // Only a running instance has a probe; in any other state the answer came late.
        self.change_health("", |health| {
            health.failures = 0;
            health.successes = health.successes.saturating_add(1);
            health.serves |= health.successes >= threshold;
        });
    }

    pub(crate) fn probe_failed(&mut self, run: RunId, why: &str) {
        if !self.is_current(run) {
            return;
        }
        let threshold = self.spec().readiness.as_ref().map_or(1, |probe| probe.failure_threshold);
        let why = format!("{why} ({threshold} probes in a row failed)");
        self.change_health(&why, |health| {
            health.successes = 0;
            health.failures = health.failures.saturating_add(1);
            health.serves &= health.failures < threshold;
        });
    }
}
