//! Reading the configuration anew without an end: a hook, or SIGHUP to the main
//! process. A program that speaks sd_notify(3) says when it is done.

use crate::rare::Reload;
use crate::words;
use crate::{Effect, Machine, State, Timer};
use process_model::event_type;
use process_model::spec::{Check, HookKind, Signal, limits};
use std::time::Duration;

/// After SIGHUP, a program that is known to speak gets this long for its
/// `RELOADING=1`. Not every one says it.
const NOTICE: Duration = Duration::from_secs(5);

impl Machine {
    pub(crate) fn reload_asked(&mut self) {
        match &self.state {
            State::Running { run, pid, health, .. } => {
                let (run, pid) = (*run, *pid);
                if matches!(self.reload(), Reload::Hook { .. }) {
                    self.set_reload(Reload::Hook { again: true });
                } else if health.leaving.is_some() {
                    self.set_reload(Reload::Failed("it is about to end".to_owned()));
                } else if !self.has_hook(HookKind::Reload) {
                    self.push(Effect::SignalMain { run, signal: Signal::HUP });
                    self.signalled(pid);
                } else if health.settling {
                    // One hook at a time, and what has just been started has read what there is.
                    self.set_reload(Reload::Failed("the post_start hook has not ended".to_owned()));
                } else {
                    self.set_reload(Reload::Hook { again: false });
                    self.push(Effect::RunHook { run, hook: HookKind::Reload });
                }
            }
            // Nothing runs that could read anything; whoever asked is told so.
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }

    /// Only a program's own word is waited for with a timer.
    fn set_reload(&mut self, reload: Reload) {
        if matches!(self.reload(), Reload::Signalled | Reload::Announced) {
            self.push(Effect::Disarm { timer: Timer::Reload });
        }
        if reload != Reload::Idle || self.rare.is_some() {
            self.rare_mut().reload = reload;
        }
    }

    fn signalled(&mut self, pid: u32) {
        if matches!(self.spec().readiness.as_ref().map(|probe| &probe.check), Some(Check::Notify)) {
            self.set_reload(Reload::Signalled);
            self.push(Effect::Arm { timer: Timer::Reload, after: NOTICE });
        } else {
            self.reloaded(&format!("SIGHUP to pid {pid}"));
        }
    }

    /// By itself, or because it was asked to.
    pub(crate) fn said_reloading(&mut self) {
        match &self.state {
            State::Running { .. } => match self.reload() {
                // The hook's end is what counts.
                Reload::Hook { .. } => {}
                Reload::Idle | Reload::Signalled | Reload::Announced | Reload::Failed(_) => {
                    self.set_reload(Reload::Announced);
                    self.push(Effect::Arm { timer: Timer::Reload, after: limits::default::HOOK_TIMEOUT });
                }
            },
            // What ends has nothing to reload.
            State::AtRest(_)
            | State::Waiting { .. }
            | State::Starting { .. }
            | State::Stopping(_)
            | State::Cleaning { .. }
            | State::Backoff { .. }
            | State::Stuck { .. } => {}
        }
    }

    pub(crate) fn reloaded(&mut self, message: &str) {
        self.set_reload(Reload::Idle);
        self.report(event_type::INSTANCE_RELOADED, message);
    }

    pub(crate) fn reload_hook_ended(&mut self, outcome: Result<(), String>) {
        let Reload::Hook { again } = *self.reload() else { return };
        match outcome {
            Err(why) => {
                self.report_failed_hook(HookKind::Reload, &why);
                self.set_reload(Reload::Failed(format!("reload hook: {why}")));
            }
            Ok(()) => self.reloaded("reload hook done"),
        }
        if again {
            self.set_reload(Reload::Idle);
            self.reload_asked();
        }
    }

    pub(crate) fn extend_reload(&mut self, more: Duration) {
        match self.reload() {
            Reload::Announced => self.push(Effect::Arm { timer: Timer::Reload, after: more }),
            Reload::Idle | Reload::Hook { .. } | Reload::Signalled | Reload::Failed(_) => {}
        }
    }

    pub(crate) fn reload_ran_out(&mut self) {
        match self.reload() {
            Reload::Signalled => self.reloaded("SIGHUP was sent; it says nothing of reloading"),
            Reload::Announced => {
                let within = words::duration(limits::default::HOOK_TIMEOUT);
                let why = format!("said RELOADING=1, and not READY=1 within {within}");
                self.report_failed_hook(HookKind::Reload, &why);
                self.set_reload(Reload::Failed(why));
            }
            // The timer was armed before something else happened.
            Reload::Idle | Reload::Hook { .. } | Reload::Failed(_) => {}
        }
    }
}
