//! The restart policy: whether an ending is followed by a restart, how soon,
//! and when to give up.

use crate::words;
use crate::{Context, Effect, Machine, State, Timer, moment::Moment, state::AfterStop, state::Ended, state::Rest};
use process_model::ExitStatus;
use process_model::spec::RestartMode;
use std::time::Duration;

impl Machine {
    /// What follows when the program has ended by itself.
    pub(crate) fn after_exit(&self, status: &ExitStatus, why: String, ctx: &Context) -> AfterStop {
        let codes = &self.spec().restart.codes;
        let is_in = |list: &[u8]| match status {
            ExitStatus::Code(code) => list.iter().any(|listed| i32::from(*listed) == *code),
            ExitStatus::Signal(_) | ExitStatus::Unknown(_) => false,
        };
        let success = status.is_success() || is_in(&codes.success);
        let rest = if success { Rest::Exited } else { Rest::Failed(why.clone()) };
        if is_in(&codes.never_restart) {
            return AfterStop::Rest(rest);
        }
        if is_in(&codes.always_restart) || self.is_restarted_after(success) {
            return self.restart_or_give_up(Ended { why, status: Some(status.clone()) }, ctx);
        }
        AfterStop::Rest(rest)
    }

    /// What follows when the program could not be started, or does not do what
    /// it should.
    pub(crate) fn after_failure(&self, why: String, ctx: &Context) -> AfterStop {
        if self.is_restarted_after(false) {
            self.restart_or_give_up(Ended { why, status: None }, ctx)
        } else {
            AfterStop::Rest(Rest::Failed(why))
        }
    }

    fn is_restarted_after(&self, success: bool) -> bool {
        match self.spec().restart.mode {
            // A run of a schedule ends; the next one comes when it is due.
            RestartMode::Always | RestartMode::UnlessStopped => self.spec().schedule.is_none(),
            RestartMode::OnFailure => !success,
            RestartMode::Never => false,
        }
    }

    fn restart_or_give_up(&self, ended: Ended, ctx: &Context) -> AfterStop {
        let (policy, why) = (&self.spec().restart, &ended.why);
        if policy.max_restarts > 0 && self.streak >= policy.max_restarts {
            let restarts = words::restarts(self.streak);
            return AfterStop::Rest(Rest::Failed(format!("{why}; gave up after {restarts} in a row")));
        }
        let delay = policy.backoff.delay(self.streak, ctx.roll);
        if let (Some(limit), Some(rare)) = (policy.limit, &self.rare) {
            let count = rare.recent.within(limit, delay, ctx);
            if count >= limit.restarts {
                let (restarts, within) = (words::restarts(count), words::duration(limit.within));
                return AfterStop::Rest(Rest::Failed(format!("{why}; gave up after {restarts} within {within}")));
            }
        }
        AfterStop::Delay { delay, ended }
    }

    /// The policy was edited while a restart is waited for: what follows is
    /// what would if the run had ended now. A wait that is no other than before
    /// goes on.
    pub(crate) fn judge_anew(&mut self, delays_differ: bool, ctx: &Context) {
        match &self.state {
            State::Backoff { ended, .. } => {
                let then = self.after(ended.clone(), ctx);
                if delays_differ || matches!(then, AfterStop::Rest(_)) {
                    self.push(Effect::Disarm { timer: Timer::Restart });
                    self.proceed(then, ctx);
                }
            }
            // It is not over yet; what comes then was decided at its end.
            State::Stopping(_) | State::Cleaning { .. } | State::Stuck { .. } => {
                let Some(AfterStop::Delay { ended, .. }) = self.state.aim_mut().cloned() else { return };
                let then = self.after(ended, ctx);
                if let Some(aim) = self.state.aim_mut() {
                    *aim = then;
                }
            }
            State::AtRest(_) | State::Waiting { .. } | State::Starting { .. } | State::Running { .. } => {}
        }
    }

    /// What follows such an end.
    fn after(&self, ended: Ended, ctx: &Context) -> AfterStop {
        match ended.status {
            Some(status) => self.after_exit(&status, ended.why, ctx),
            None => self.after_failure(ended.why, ctx),
        }
    }

    pub(crate) fn note_restart(&mut self, ctx: &Context) {
        match self.spec().restart.limit {
            Some(limit) => self.rare_mut().recent.note(limit, ctx),
            // It had a limit before its policy was edited.
            None => self.forget_restarts(),
        }
    }

    pub(crate) fn forget_restarts(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.recent = crate::recent::Recent::default();
        }
    }

    /// A run that lasted long enough ends the series of restarts in a row.
    pub(crate) fn forgive_if_stable(&mut self, lasted: Duration) -> bool {
        let stable = lasted >= self.spec().restart.reset_after;
        if stable {
            self.streak = 0;
        }
        stable
    }

    /// Stops a running program that does not do what it should, and restarts it
    /// as the policy says. A run that had lasted is started again at once: what
    /// was wrong was not wrong at the start.
    pub(crate) fn end_by_policy(&mut self, event: &'static str, why: String, ctx: &Context) {
        let crate::State::Running { run, pid, since, .. } = self.state else { return };
        let stable = self.forgive_if_stable(Moment::elapsed(since, ctx));
        let then = match self.after_failure(why.clone(), ctx) {
            AfterStop::Delay { .. } if stable => AfterStop::Restart,
            then @ (AfterStop::Delay { .. } | AfterStop::Rest(_) | AfterStop::Start | AfterStop::Restart) => then,
        };
        let next = match then {
            AfterStop::Restart | AfterStop::Start | AfterStop::Delay { .. } => "restarting",
            AfterStop::Rest(_) => "stopping",
        };
        self.report(event, format!("{why}; {next}"));
        self.begin_stop(run, Some(pid), then, ctx);
    }
}
