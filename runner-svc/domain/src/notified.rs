//! What a program says of itself (sd_notify(3)), and its own watchdog.

use crate::health::Leaving;
use crate::rare::Reload;
use crate::words;
use crate::{Context, Effect, Machine, Notification, RunId, State, Timer};
use process_model::event_type;
use process_model::spec::Check;
use std::time::Duration;

impl Machine {
    pub(crate) fn notified(&mut self, run: RunId, words: Vec<Notification>, ctx: &Context) {
        for word in words {
            // One word can end the run: the others are about what comes then.
            if self.is_current(run) {
                self.hear(run, word, ctx);
            }
        }
    }

    fn hear(&mut self, run: RunId, word: Notification, ctx: &Context) {
        match word {
            Notification::Ready => self.said_ready(),
            Notification::Reloading => self.said_reloading(),
            Notification::Stopping => self.said_stopping(ctx),
            Notification::Status(status) => {
                if status.is_empty() && self.rare.is_none() {
                    return;
                }
                self.rare_mut().status = status;
            }
            Notification::Alive => self.arm_watchdog(),
            Notification::Dead => {
                if self.is_watched(run) {
                    let why = "said that it is dead (WATCHDOG=trigger)".to_owned();
                    self.end_by_policy(event_type::INSTANCE_UNHEALTHY, why, ctx);
                }
            }
            Notification::WatchdogInterval(interval) => {
                self.rare_mut().watchdog = Some(interval);
                self.arm_watchdog();
            }
            Notification::ExtendTimeout(more) => {
                self.extend_stop(more, ctx);
                self.extend_leaving(more, ctx);
                self.extend_run(more, ctx);
                self.extend_reload(more);
            }
            Notification::MainPid(named) => match &mut self.state {
                State::Running { pid, .. } => *pid = named,
                // It is not shown, or is about to end.
                State::AtRest(_)
                | State::Waiting { .. }
                | State::Starting { .. }
                | State::Stopping(_)
                | State::Cleaning { .. }
                | State::Backoff { .. }
                | State::Stuck { .. } => {}
            },
        }
    }

    fn said_ready(&mut self) {
        if matches!(self.spec().readiness.as_ref().map(|probe| &probe.check), Some(Check::Notify)) {
            self.change_health("", |health| health.serves = true);
        }
        match self.reload() {
            Reload::Signalled | Reload::Announced => self.reloaded("reloaded"),
            Reload::Idle | Reload::Hook { .. } | Reload::Failed(_) => {}
        }
    }

    /// An end is expected, within the time of a stop.
    fn said_stopping(&mut self, ctx: &Context) {
        let State::Running { health, .. } = &self.state else { return };
        if health.leaving.is_some() {
            return;
        }
        let after = self.spec().stop.timeout;
        let leaving = Leaving::within(after, ctx);
        self.change_health("it is about to end (STOPPING=1)", |health| health.leaving = Some(leaving));
        if self.watchdog_interval().is_some() {
            self.push(Effect::Disarm { timer: Timer::Watchdog });
        }
        self.push(Effect::Arm { timer: Timer::Stop, after });
    }

    /// The program asks for more time for the end that it announced.
    fn extend_leaving(&mut self, more: Duration, ctx: &Context) {
        let State::Running { health, .. } = &mut self.state else { return };
        if let Some(after) = health.leaving.as_mut().and_then(|leaving| leaving.extend(more, ctx)) {
            self.push(Effect::Arm { timer: Timer::Stop, after });
        }
    }

    pub(crate) fn did_not_leave(&mut self, ctx: &Context) {
        let State::Running { health, .. } = &self.state else { return };
        // The timer was armed before something else happened.
        let Some(leaving) = health.leaving else { return };
        let within = words::duration(leaving.began.elapsed(ctx));
        let why = format!("said STOPPING=1 and did not end within {within}");
        self.end_by_policy(event_type::INSTANCE_UNHEALTHY, why, ctx);
    }

    /// The longest time between two `WATCHDOG=1` of this run.
    pub(crate) fn watchdog_interval(&self) -> Option<Duration> {
        self.rare.as_ref().and_then(|rare| rare.watchdog).or(self.spec().notify_watchdog)
    }

    /// The program has just been alive.
    pub(crate) fn arm_watchdog(&mut self) {
        let State::Running { run, .. } = &self.state else { return };
        if let Some(after) = self.watchdog_interval().filter(|_| self.is_watched(*run)) {
            self.push(Effect::Arm { timer: Timer::Watchdog, after });
        }
    }

    pub(crate) fn watchdog_ran_out(&mut self, ctx: &Context) {
        let (Some(run), Some(interval)) = (self.state.run(), self.watchdog_interval()) else { return };
        if self.is_watched(run) {
            let why = format!("no WATCHDOG=1 for {}", words::duration(interval));
            self.end_by_policy(event_type::INSTANCE_UNHEALTHY, why, ctx);
        }
    }
}
