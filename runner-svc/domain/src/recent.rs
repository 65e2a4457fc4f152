//! Restarts within the window of a limit, counted in bounded memory.

use crate::{Context, moment::Moment};
use process_model::Timestamp;
use process_model::spec::RestartLimit;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Limits up to this are counted exactly; above, restarts that are closer than
/// this part of the window are counted as one moment.
const EXACT: u32 = 64;

/// The restarts of an instance that has a limit, oldest first.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Recent(Vec<Restarts>);

/// Restarts at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Restarts {
    /// By the wall clock, which a later runner understands.
    at: Timestamp,
    /// By this runner's own clock, which nobody sets; `None`: another runner's.
    #[serde(skip)]
    moment: Option<Moment>,
    count: u32,
}

impl Restarts {
    fn age(&self, ctx: &Context) -> Duration {
        match self.moment {
            Some(moment) => moment.elapsed(ctx),
            // A wall clock that was set back makes nothing older than it is.
            None => Duration::from_nanos(u64::try_from(ctx.wall.0.saturating_sub(self.at.0)).unwrap_or(0)),
        }
    }
}

impl Recent {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One more restart, now.
    pub(crate) fn note(&mut self, limit: RestartLimit, ctx: &Context) {
        self.0.retain(|restarts| restarts.age(ctx) < limit.within);
        for restarts in &mut self.0 {
            let age = restarts.age(ctx);
            restarts.moment.get_or_insert(Moment::ago(ctx, age));
        }
        let apart = if limit.restarts > EXACT { limit.within / EXACT } else { Duration::ZERO };
        match self.0.last_mut().filter(|last| last.age(ctx) < apart) {
            Some(last) => last.count = last.count.saturating_add(1),
            None => self.0.push(Restarts { at: ctx.wall, moment: Some(Moment::now(ctx)), count: 1 }),
        }
    }

    /// How many will be within the window when `delay` has passed.
    pub(crate) fn within(&self, limit: RestartLimit, delay: Duration, ctx: &Context) -> u32 {
        let counted = self.0.iter().filter(|restarts| restarts.age(ctx).saturating_add(delay) < limit.within);
        counted.fold(0, |sum, restarts| sum.saturating_add(restarts.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RunId;

    fn at(seconds: u64) -> Context {
        let now = Duration::from_secs(seconds);
        Context { now, wall: Timestamp(0).plus(now), roll: 0.5, next_run: RunId(1) }
    }

    fn limit(restarts: u32) -> RestartLimit {
        RestartLimit { restarts, within: Duration::from_secs(640) }
    }

    #[test]
    fn a_restart_counts_until_the_window_has_passed_it() {
        let mut recent = Recent::default();
        recent.note(limit(3), &at(0));
        recent.note(limit(3), &at(100));
        assert_eq!(recent.within(limit(3), Duration::ZERO, &at(639)), 2);
        assert_eq!(recent.within(limit(3), Duration::ZERO, &at(640)), 1);
        assert_eq!(recent.within(limit(3), Duration::from_secs(100), &at(640)), 0, "the delay is part of the time");
    }

    #[test]
    fn a_limit_of_a_million_is_counted_in_a_few_moments() {
        let mut recent = Recent::default();
        for second in 0..640 {
            for _ in 0..10 {
                recent.note(limit(1_000_000), &at(second));
            }
        }
        assert_eq!(recent.within(limit(1_000_000), Duration::ZERO, &at(639)), 6400);
        assert!(recent.0.len() <= EXACT as usize, "{}", recent.0.len());
    }

    #[test]
    fn what_another_runner_counted_is_counted_by_the_wall_clock_and_then_by_our_own() {
        let mut recent = Recent::default();
        recent.note(limit(3), &at(1_000));
        recent.0[0].moment = None;
        let after = Context { now: Duration::from_secs(5), ..at(1_500) };
        assert_eq!(recent.within(limit(3), Duration::ZERO, &after), 1);
        recent.note(limit(3), &after);
        let stepped = Context { now: Duration::from_secs(6), ..at(9_000_000) };
        assert_eq!(recent.within(limit(3), Duration::ZERO, &stepped), 2, "a stepped wall clock forgives nothing");
        let back = Context { now: Duration::from_secs(146), ..at(0) };
        assert_eq!(recent.within(limit(3), Duration::ZERO, &back), 1);
    }
}
