//! What shows that a running program does not do what it should: its liveness
//! probe, a silent log, too much memory, too long a life. Each leads to a
//! graceful stop, and to a restart by policy.

use crate::words;
use crate::{Context, Effect, Machine, RunId, State, Timer, moment::Moment};
use process_model::event_type;
use std::mem::take;
use std::time::Duration;

impl Machine {
    pub(crate) fn liveness_succeeded(&mut self, run: RunId) {
        if self.is_current(run) {
            self.change_health("", |health| health.dead = 0);
        }
    }

    pub(crate) fn liveness_failed(&mut self, run: RunId, why: &str, ctx: &Context) {
        if !self.is_watched(run) {
            return;
        }
        let threshold = self.spec().liveness.as_ref().map_or(1, |probe| probe.failure_threshold);
        let State::Running { health, .. } = &mut self.state else { return };
        health.dead = health.dead.saturating_add(1);
        if health.dead >= threshold {
            let why = format!("not alive: {why} ({threshold} probes in a row failed)");
            self.end_by_policy(event_type::INSTANCE_UNHEALTHY, why, ctx);
        }
    }

    pub(crate) fn went_silent(&mut self, run: RunId, silence: Duration, ctx: &Context) {
        if self.is_watched(run) {
            let why = format!("no log activity for {:.0} s", silence.as_secs_f64());
            self.end_by_policy(event_type::INSTANCE_WATCHDOG, why, ctx);
        }
    }

    pub(crate) fn memory_exceeded(&mut self, run: RunId, bytes: u64, ctx: &Context) {
        // An edit may have come between the look and its news.
        let Some(most) = self.spec().restart.max_memory.filter(|most| bytes > *most) else { return };
        if self.is_watched(run) {
            let why = format!("uses {} of memory, more than {}", words::bytes(bytes), words::bytes(most));
            self.end_by_policy(event_type::INSTANCE_LIMIT, why, ctx);
        }
    }

    /// Whether `run` runs and is not about to end by its own word: then, what
    /// it does not do any more is no fault.
    pub(crate) fn is_watched(&self, run: RunId) -> bool {
        match &self.state {
            State::Running { run: current, health, .. } => *current == run && health.leaving.is_none(),
            // Not yet, or not any more: the news came late.
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => false,
        }
    }

    /// Arms what bounds a run: its longest time, and its own watchdog.
    pub(crate) fn arm_for_run(&mut self, ctx: &Context) {
        self.arm_watchdog();
        self.arm_max_runtime(ctx);
    }

    pub(crate) fn arm_max_runtime(&mut self, ctx: &Context) {
        let State::Running { since, .. } = &self.state else { return };
        if let Some(most) = self.spec().restart.max_runtime {
            let after = since.plus(most).remaining(ctx);
            self.push(Effect::Arm { timer: Timer::MaxRuntime, after });
        }
    }

    /// The program asks for more time: what is not over by then ends then.
    pub(crate) fn extend_run(&mut self, more: Duration, ctx: &Context) {
        let State::Running { since, .. } = &self.state else { return };
        if let Some(most) = self.spec().restart.max_runtime {
            let after = since.plus(most).max(Moment::now(ctx).plus(more)).remaining(ctx);
            self.push(Effect::Arm { timer: Timer::MaxRuntime, after });
        }
    }

    pub(crate) fn ran_for_too_long(&mut self, ctx: &Context) {
        // It was edited away, or the timer was armed before something else happened.
        let Some(most) = self.spec().restart.max_runtime else { return };
        let State::Running { .. } = &self.state else { return };
        let why = format!("has run for {}, which is as long as it may", words::duration(most));
        self.end_by_policy(event_type::INSTANCE_EXPIRED, why, ctx);
    }

    /// Ends everything that goes on beside a run; once more does nothing.
    pub(crate) fn end_watching(&mut self) {
        let (settling, leaving) = match &mut self.state {
            State::Running { health, .. } => (take(&mut health.settling), take(&mut health.leaving)),
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => (false, None),
        };
        let reload = self.rare.as_mut().map(|rare| take(&mut rare.reload)).unwrap_or_default();
        if settling || matches!(reload, crate::rare::Reload::Hook { .. }) {
            self.push(Effect::CancelHooks);
        }
        self.push(Effect::Unobserve);
        if leaving.is_some() {
            self.push(Effect::Disarm { timer: Timer::Stop });
        }
        if self.watchdog_interval().is_some() {
            self.push(Effect::Disarm { timer: Timer::Watchdog });
        }
        if self.spec().restart.max_runtime.is_some() {
            self.push(Effect::Disarm { timer: Timer::MaxRuntime });
        }
        if matches!(reload, crate::rare::Reload::Signalled | crate::rare::Reload::Announced) {
            self.push(Effect::Disarm { timer: Timer::Reload });
        }
    }
}
