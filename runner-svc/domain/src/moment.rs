//! Moments by the monotonic clock of this runner.

use crate::Context;
use std::time::Duration;

/// A moment by the monotonic clock, in nanoseconds. May lie before the clock's
/// own zero: what a new runner takes over began before it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(i64);

fn nanos(duration: Duration) -> i64 {
    i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)
}

impl Moment {
    /// The moment of an input.
    #[must_use]
    pub fn now(ctx: &Context) -> Self {
        Self(nanos(ctx.now))
    }

    /// So long before the moment of an input.
    #[must_use]
    pub fn ago(ctx: &Context, age: Duration) -> Self {
        Self(nanos(ctx.now).saturating_sub(nanos(age)))
    }

    /// So long after this moment.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }

    /// Time from this moment to the moment of an input; zero when it is still
    /// to come.
    #[must_use]
    pub fn elapsed(self, ctx: &Context) -> Duration {
        Duration::from_nanos(u64::try_from(nanos(ctx.now).saturating_sub(self.0)).unwrap_or(0))
    }

    /// Time from the moment of an input to this one; zero when it has passed.
    #[must_use]
    pub fn remaining(self, ctx: &Context) -> Duration {
        Duration::from_nanos(u64::try_from(self.0.saturating_sub(nanos(ctx.now))).unwrap_or(0))
    }
}
