//! What was noticed of a run and has to be told: limits, its output.

use crate::{Context, Machine, RunId};
use process_model::event_type;
use process_model::spec::LogAction;

impl Machine {
    pub(crate) fn limit_reached(&mut self, run: RunId, message: String) {
        if self.is_current(run) {
            self.report(event_type::INSTANCE_LIMIT, message);
        }
    }

    pub(crate) fn log_trouble(&mut self, run: RunId, message: &str, dropped: u64) {
        if !self.is_current(run) {
            return;
        }
        let missing = if dropped > 0 { format!("; {dropped} bytes are missing") } else { String::new() };
        let what = if message.is_empty() { "output is written again" } else { message };
        self.report(event_type::INSTANCE_LOG_DEGRADED, format!("{what}{missing}"));
    }

    /// A line is told whenever it is found: the last words of a run may be read
    /// after its end. Only what runs can be restarted for one.
    pub(crate) fn log_matched(
        &mut self,
        run: RunId,
        rule: &str,
        action: LogAction,
        line: &str,
        suppressed: u64,
        ctx: &Context,
    ) {
        let more = if suppressed > 0 { format!(" ({suppressed} more since the last time)") } else { String::new() };
        let message = format!("rule {rule}: {line}{more}");
        match action {
            LogAction::Event => self.report(event_type::INSTANCE_LOG_MATCH, message),
            LogAction::Alert => self.report(event_type::INSTANCE_LOG_ALERT, message),
            LogAction::Restart if self.is_watched(run) => {
                self.end_by_policy(event_type::INSTANCE_LOG_MATCH, message, ctx);
            }
            LogAction::Restart => {}
        }
    }
}
