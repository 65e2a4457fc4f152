//! When a process that does not run all the time is run.
//!
//! Enters: a cron expression, an IANA time zone, a point in time. Leaves: the
//! next point in time. Needs nothing of the machine: the zones' rules are
//! compiled in.
//!
//! When clocks are changed, the rules are those of cron(8) on most systems:
//!
//! | expression | local time that does not exist | local time that exists twice |
//! |---|---|---|
//! | with fixed times, as `30 2 * * *` | runs at the first moment that exists | runs once, the first time |
//! | with `*` or a step in second, minute or hour, as `*/10 * * * *` | left out: nothing of that hour exists | runs both times: it is meant by intervals |

use super::{Fault, limits};
use crate::Timestamp;
use croner::Cron;
use croner::parser::{CronParser, Seconds, Year};
use jiff::tz::{TimeZone, TimeZoneDatabase};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Longest expression, in bytes: a list of every minute of an hour fits.
const CRON_BYTES: usize = 512;

/// Runs at the times of a cron expression. Each run ends by itself; `wanted`
/// means that the schedule is followed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Schedule {
    /// Five fields (minute, hour, day of month, month, day of week), six with
    /// seconds first, or `@hourly` and its kin (crontab(5)).
    pub cron: String,
    /// IANA name, as `Europe/Berlin`; `UTC` unless told otherwise.
    pub timezone: String,
    /// What happens when a time comes while the run before still goes on.
    #[serde(default)]
    pub overlap: Overlap,
    /// What happens to times that passed while the runner was not there.
    #[serde(default)]
    pub catch_up: CatchUp,
    /// Each start is later by a random time up to this.
    #[serde(default)]
    pub jitter: Duration,
}

impl Schedule {
    /// Every rule that the types alone do not keep. Field names are those of
    /// the document form, relative to the process.
    #[must_use]
    pub fn faults(&self) -> Vec<Fault> {
        const FIX: &str = "write five fields, as 30 2 * * 1-5 (minute, hour, day of month, month, day of week), six with \
                           seconds first, or @hourly, @daily, @weekly, @monthly, @yearly";
        let mut faults = Vec::new();
        let cron = self.parsed();
        match &cron {
            Err(problem) => faults.push(Fault::new("schedule.cron", problem, FIX)),
            // The calendar repeats itself, so the beginning of the epoch says it for all times.
            Ok(cron) if next(cron, &TimeZone::UTC, Timestamp::default()).is_none() => {
                let problem = format!("{:?} names a time that never comes", self.cron);
                faults.push(Fault::new("schedule.cron", problem, FIX));
            }
            Ok(_) => {}
        }
        if self.zone().is_none() {
            let problem = format!("{:?} is no time zone", self.timezone);
            faults.push(Fault::new("schedule.timezone", problem, "write an IANA name, as Europe/Berlin, or UTC"));
        }
        if !limits::SCHEDULE_JITTER.contains(&self.jitter) {
            let show = humantime::format_duration;
            let fix = format!("write 0s to {}", show(*limits::SCHEDULE_JITTER.end()));
            faults.push(Fault::new("schedule.jitter", format!("{} is out of range", show(self.jitter)), fix));
        }
        faults
    }

    /// The first time that is later than `after`; `None`: there is none, or the
    /// schedule has faults. Without the jitter.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        next(&self.parsed().ok()?, &self.zone()?, after)
    }

    fn parsed(&self) -> Result<Cron, String> {
        if self.cron.len() > CRON_BYTES {
            return Err(format!("it has {} bytes, more than {CRON_BYTES}", self.cron.len()));
        }
        // Known to crontab(5), not to the parser.
        let midnight = self.cron.trim().eq_ignore_ascii_case("@midnight");
        let expression = if midnight { "@daily" } else { self.cron.as_str() };
        CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Disallowed)
            .build()
            .parse(expression)
            .map_err(|error| format!("{:?} is no cron expression: {}", self.cron, plain(&error.to_string())))
    }

    fn zone(&self) -> Option<TimeZone> {
        // The compiled-in rules, not those of the machine: every node and the registry agree.
        TimeZoneDatabase::bundled().get(&self.timezone).ok()
    }
}

/// The parser's words in our form: lower case, no full stop.
fn plain(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let mut chars = message.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

fn next(cron: &Cron, zone: &TimeZone, after: Timestamp) -> Option<Timestamp> {
    // Whole seconds: a time has none of their parts, and the search keeps those of its start.
    let start = jiff::Timestamp::from_second(after.seconds()).ok()?.to_zoned(zone.clone());
    let found = cron.find_next_occurrence(&start, false).ok()?.timestamp();
    // Later than `after` by contract; what is not would be run for ever.
    i64::try_from(found.as_nanosecond()).ok().map(Timestamp).filter(|found| *found > after)
}

/// What happens when a time comes while the run before still goes on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Overlap {
    /// That time is left out.
    #[default]
    Skip,
    /// It runs once more when the run before has ended.
    Queue,
    /// The run before is stopped.
    Replace,
}

impl Overlap {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Queue, Self::Replace];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue => "queue",
            Self::Replace => "replace",
        }
    }
}

/// What happens to times that passed while the runner was not there.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CatchUp {
    /// They are left out.
    #[default]
    None,
    /// One run makes up for all of them.
    Once,
}

impl CatchUp {
    /// Both.
    pub const ALL: [Self; 2] = [Self::None, Self::Once];

    /// The word for it in documents.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Once => "once",
        }
    }
}

#[cfg(test)]
mod tests;
