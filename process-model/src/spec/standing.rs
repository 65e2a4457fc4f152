//! What a condition of a dependency says of one instance. One rule for whoever
//! knows the instance: the runner that has it, and the registry, which answers
//! for it to the others.

use super::Condition;
use crate::{ExitStatus, Phase};

/// An instance, as far as those who depend on it ask.
#[derive(Debug, Clone, Copy)]
pub struct Standing<'a> {
    /// Its phase.
    pub phase: Phase,
    /// Whether it serves.
    pub ready: bool,
    /// How its last run ended.
    pub last_exit: Option<&'a ExitStatus>,
    /// Whether it comes again by itself: a restart, or the next run of a schedule.
    pub comes_again: bool,
    /// Exit codes beside 0 that are a success for it.
    pub success: &'a [u8],
}

impl Standing<'_> {
    /// Whether it is as it has to be. `has_line`: whether it has written a line
    /// with this regular expression since it was last started.
    pub fn meets(&self, condition: &Condition, has_line: impl FnOnce(&str) -> bool) -> bool {
        match condition {
            // What has ended with success has run; nobody should have to be quick enough to see it.
            Condition::Started => self.phase == Phase::Running || self.ended_well(),
            Condition::Ready => self.phase == Phase::Running && self.ready,
            Condition::Completed => self.has_ended(),
            Condition::CompletedOk => self.ended_well(),
            // What was stopped on request, or has not come up again, is not there any more.
            Condition::Log(pattern) => (self.phase == Phase::Running || self.has_ended()) && has_line(pattern),
        }
    }

    /// Whether it has ended by itself and rests.
    fn has_ended(&self) -> bool {
        let rests = match self.phase {
            Phase::Exited | Phase::Failed => true,
            // Between two runs of a schedule.
            Phase::Stopped | Phase::Pending => self.comes_again,
            // It comes again: it has not ended for good.
            Phase::Backoff => false,
            Phase::Starting | Phase::Running | Phase::Stopping | Phase::Lost => false,
        };
        rests && self.last_exit.is_some()
    }

    fn ended_well(&self) -> bool {
        let success = match self.last_exit {
            Some(ExitStatus::Code(0)) => true,
            Some(ExitStatus::Code(code)) => u8::try_from(*code).is_ok_and(|code| self.success.contains(&code)),
            Some(ExitStatus::Signal(_) | ExitStatus::Unknown(_)) | None => false,
        };
        success && self.has_ended()
    }
}
