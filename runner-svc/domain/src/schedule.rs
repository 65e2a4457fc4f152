//! When an instance with a schedule is due.
//!
//! Enters: the schedule, the clock, a roll of the dice, and what was planned
//! before (by this runner, by one that died, or by another node). Leaves: when
//! to look again, and which time has come, and how.
//!
//! - A time that passed by more than [`LATE`], or together with the time after
//!   it, was missed, whyever: the runner was not there, the machine slept, the
//!   clock was set forward. `catch_up` decides about all missed times together:
//!   nothing, or one run. A runner that was away for a moment has missed nothing.
//! - A node that was lost may have begun the run that it had planned next: once
//!   that time has passed, it was missed, however lately.
//! - A clock that is set back by up to [`SET_BACK`] repeats nothing; set back by
//!   more it was wrong before, and the schedule begins anew (so does cron(8)).
//! - The random delay is cut to the time until the next time, so that it neither
//!   changes their order nor loses one.

use process_model::spec::{CatchUp, Schedule};
use process_model::{Plan, Timestamp};
use std::time::Duration;

/// A run that begins so much later than planned is not the planned one. Far
/// above the delays of a busy machine, far below what people plan with.
pub const LATE: Duration = Duration::from_secs(60);

/// The largest step back of a clock that is taken for a change of clocks.
pub const SET_BACK: Duration = Duration::from_secs(3 * 3600);

/// A time of a schedule that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Come {
    /// When it was due.
    pub due: Timestamp,
    /// What follows from it.
    pub how: Timing,
}

/// What follows from a time that has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timing {
    /// A run is due.
    OnTime,
    /// It was missed, and one run makes up for it and all that followed it.
    CaughtUp,
    /// It was missed, and is left out with all that followed it.
    Missed,
}

/// The plan of one instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timetable {
    /// When to start, with the random delay; `None`: never again.
    due: Option<Timestamp>,
}

impl Timetable {
    /// Begins to follow a schedule at `now`.
    #[must_use]
    pub fn begin(schedule: &Schedule, now: Timestamp, roll: f64) -> Self {
        Self::after(schedule, now, roll)
    }

    /// Goes on with the plan of a runner that died, or of another node. Returns
    /// what has come of it by now. A plan that is not of this schedule (it was
    /// changed meanwhile) is for the caller to leave out.
    #[must_use]
    pub fn resume(schedule: &Schedule, plan: Plan, now: Timestamp, roll: f64) -> (Self, Option<Come>) {
        let mut table = Self { due: Some(plan.due) };
        let come = table.come(schedule, plan.certain, now, roll);
        (table, come)
    }

    /// When to look again, and what people are told.
    #[must_use]
    pub fn due(&self) -> Option<Timestamp> {
        self.due
    }

    /// Looks at the clock. Returns which time has come; [`Timetable::due`] is
    /// later than `now` afterwards.
    #[must_use]
    pub fn look(&mut self, schedule: &Schedule, now: Timestamp, roll: f64) -> Option<Come> {
        self.come(schedule, true, now, roll)
    }

    fn come(&mut self, schedule: &Schedule, certain: bool, now: Timestamp, roll: f64) -> Option<Come> {
        let due = self.due?;
        if now < due {
            let longest = schedule.jitter.saturating_add(SET_BACK);
            let first = schedule.next_after(now);
            // Before that, times were left out that a right clock would have named.
            let was_wrong = first.is_some_and(|first| first.plus(longest) < due);
            if was_wrong {
                *self = Self::after(schedule, now, roll);
            }
            return None;
        }
        let is_late = due.plus(LATE) < now || schedule.next_after(due).is_some_and(|next| next <= now);
        *self = Self::after(schedule, now, roll);
        let how = match (is_late || !certain, schedule.catch_up) {
            (false, CatchUp::None | CatchUp::Once) => Timing::OnTime,
            (true, CatchUp::Once) => Timing::CaughtUp,
            (true, CatchUp::None) => Timing::Missed,
        };
        Some(Come { due, how })
    }

    fn after(schedule: &Schedule, after: Timestamp, roll: f64) -> Self {
        let planned = schedule.next_after(after);
        Self { due: planned.map(|planned| delayed(schedule, planned, roll)) }
    }
}

/// Later by the random delay, but before the time after it.
fn delayed(schedule: &Schedule, planned: Timestamp, roll: f64) -> Timestamp {
    if schedule.jitter.is_zero() {
        return planned;
    }
    let room = match schedule.next_after(planned) {
        Some(next) => Duration::from_nanos(u64::try_from(next.0.saturating_sub(planned.0)).unwrap_or(0)),
        None => schedule.jitter,
    };
    // A hair less than the room, for a roll of exactly one.
    let most = schedule.jitter.min(room.saturating_sub(Duration::from_nanos(1)));
    planned.plus(most.mul_f64(if roll.is_finite() { roll.clamp(0.0, 1.0) } else { 0.0 }))
}

#[cfg(test)]
mod tests;
