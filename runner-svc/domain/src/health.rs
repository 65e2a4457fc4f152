//! What is known of how a running program does.

use crate::{Context, moment::Moment};
use std::time::Duration;

/// What is known of how a running program does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Health {
    /// Whether the readiness probe, or the program itself, says that it serves.
    pub(crate) serves: bool,
    /// Successes of the readiness probe in a row, while it does not serve.
    pub(crate) successes: u32,
    /// Failures of the readiness probe in a row.
    pub(crate) failures: u32,
    /// Failures of the liveness probe in a row.
    pub(crate) dead: u32,
    /// Whether the `post_start` hook goes on.
    pub(crate) settling: bool,
    /// The program said that it is about to end.
    pub(crate) leaving: Option<Leaving>,
}

/// A program on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaving {
    /// When it said so.
    pub(crate) began: Moment,
    until: Moment,
}

impl Leaving {
    /// From now on, within so long.
    pub(crate) fn within(timeout: Duration, ctx: &Context) -> Self {
        let began = Moment::now(ctx);
        Self { began, until: began.plus(timeout) }
    }

    /// It asks for more time, and gets as much as in a stop that somebody
    /// asked for: how long it has from now on, when that is longer.
    pub(crate) fn extend(&mut self, more: Duration, ctx: &Context) -> Option<Duration> {
        let longest = *process_model::spec::limits::STOP_TIMEOUT.end();
        let until = Moment::now(ctx).plus(more).min(self.began.plus(longest));
        (until > self.until).then(|| {
            self.until = until;
            until.remaining(ctx)
        })
    }
}

impl Health {
    /// Of a program that has just been started.
    pub(crate) fn new(serves: bool, settling: bool) -> Self {
        Self { serves, successes: 0, failures: 0, dead: 0, settling, leaving: None }
    }

    /// Whether it serves, all in all.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        self.serves && !self.settling && self.leaving.is_none()
    }
}
