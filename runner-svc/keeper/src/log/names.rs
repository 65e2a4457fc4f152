//! Names of log files. The active file keeps its name; a file that is rotated
//! away gets a name that never changes again, but for what compression adds:
//!
//! ```text
//! web-1.stdout.log                                the active file
//! web-1.stdout.log.idx                            its index
//! web-1.stdout.log.20261121T030501.123456Z        rotated away at that time (UTC)
//! web-1.stdout.log.20261121T030501.123456Z.idx    its index, kept as it was
//! web-1.stdout.log.20261121T030501.123456Z.zst    the same, compressed
//! ```

use process_model::spec::Compression;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Length of a stamp, as `20261121T030501.123456Z`.
const STAMP: usize = 23;

/// What an index's name ends with.
pub const INDEX_SUFFIX: &str = ".idx";

const MICROS_A_DAY: i64 = 24 * 3600 * 1_000_000;

/// The name of a file that was rotated away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct RotatedName<'a> {
    /// The active file's name.
    pub active: &'a str,
    /// When it was rotated away, in microseconds since 1970.
    pub at: i64,
    /// What holds it together.
    pub part: Part,
}

/// Which file of a rotated one this is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// The bytes, as they were written.
    Plain,
    /// The bytes, by gzip.
    Gzip,
    /// The bytes, by zstd.
    Zstd,
    /// The index.
    Index,
}

impl Part {
    /// Every part; the bytes first.
    pub const ALL: [Self; 4] = [Self::Plain, Self::Gzip, Self::Zstd, Self::Index];

    /// What its name ends with.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Gzip => ".gz",
            Self::Zstd => ".zst",
            Self::Index => INDEX_SUFFIX,
        }
    }

    /// What compression makes of a plain file.
    #[must_use]
    pub fn of(compression: Compression) -> Self {
        match compression {
            Compression::None => Self::Plain,
            Compression::Gzip => Self::Gzip,
            Compression::Zstd => Self::Zstd,
        }
    }
}

impl<'a> RotatedName<'a> {
    /// Reads a file name; `None`: it is not one of ours.
    #[must_use]
    pub fn parse(name: &'a str) -> Option<Self> {
        // `.idx`, `.gz` and `.zst` first: every name ends with the empty suffix.
        let part = Part::ALL.into_iter().rev().find(|part| name.ends_with(part.suffix()))?;
        let rest = name.strip_suffix(part.suffix())?;
        let cut = rest.len().checked_sub(STAMP + 1)?;
        let (active, stamp) = (rest.get(..cut)?, rest.get(cut..)?.strip_prefix('.')?);
        if active.is_empty() {
            return None;
        }
        Some(Self { active, at: read_stamp(stamp)?, part })
    }

    /// The name.
    #[must_use]
    pub fn render(&self) -> String {
        format!("{}.{}{}", self.active, stamp(self.at), self.part.suffix())
    }
}

/// The index of a log file, active or rotated; `file` without what compression
/// added.
#[must_use]
pub fn index_of(file: &Path) -> PathBuf {
    with_suffix(file, INDEX_SUFFIX)
}

/// `file` rotated away at `at` microseconds since 1970.
#[must_use]
pub fn rotated(file: &Path, at: i64) -> PathBuf {
    with_suffix(file, &format!(".{}", stamp(at)))
}

/// A path with something behind its last name.
#[must_use]
pub fn with_suffix(file: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = file.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn stamp(at: i64) -> String {
    let (day, rest) = (at.div_euclid(MICROS_A_DAY), at.rem_euclid(MICROS_A_DAY));
    let (year, month, day) = date_of(day);
    let (seconds, micros) = (rest / 1_000_000, rest % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    format!("{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}.{micros:06}Z")
}

/// RFC 3339 in UTC with microseconds, as `2026-11-21T03:05:01.123456Z`.
#[must_use]
pub fn rfc3339(nanos: i64) -> String {
    let micros = nanos.div_euclid(1000);
    let s = stamp(micros);
    let part = |from: usize, to: usize| s.get(from..to).unwrap_or_default();
    format!(
        "{}-{}-{}T{}:{}:{}",
        part(0, 4),
        part(4, 6),
        part(6, 8),
        part(9, 11),
        part(11, 13),
        s.get(13..).unwrap_or_default()
    )
}

fn read_stamp(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    let shape = bytes.len() == STAMP
        && bytes.iter().enumerate().all(|(i, byte)| match i {
            8 => *byte == b'T',
            15 => *byte == b'.',
            22 => *byte == b'Z',
            _ => byte.is_ascii_digit(),
        });
    if !shape {
        return None;
    }
    let number = |from: usize, to: usize| text.get(from..to)?.parse::<i64>().ok();
    let (year, month, day) = (number(0, 4)?, number(4, 6)?, number(6, 8)?);
    let (hour, minute, second) = (number(9, 11)?, number(11, 13)?, number(13, 15)?);
    let seconds = day_of(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    let at = seconds * 1_000_000 + number(16, 22)?;
    // Only names that we would write: 20260231 is nobody's.
    (stamp(at) == text).then_some(at)
}

/// Days of the years before `year` since 0000-03-01, years beginning in March.
fn days_before(year: i64) -> i64 {
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400)
}

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// First day of each month from March on, within such a year.
const MONTHS: [i64; 12] = [0, 31, 61, 92, 122, 153, 184, 214, 245, 275, 306, 337];

/// Days since 1970-01-01 of a date of the Gregorian calendar.
fn day_of(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let first = usize::try_from(month).ok().and_then(|month| MONTHS.get(month)).copied().unwrap_or_default();
    days_before(year) + first + day - 1 - EPOCH
}

/// The date of a day since 1970-01-01.
fn date_of(day: i64) -> (i64, usize, i64) {
    let day = day + EPOCH;
    // An estimate that is at most one too high.
    let mut year = day.div_euclid(365) - day.div_euclid(365 * 4) + day.div_euclid(365 * 100);
    while days_before(year) > day {
        year -= 1;
    }
    while days_before(year + 1) <= day {
        year += 1;
    }
    let in_year = day - days_before(year);
    let month = MONTHS.iter().rposition(|first| *first <= in_year).unwrap_or_default();
    let of_month = in_year - MONTHS.get(month).copied().unwrap_or_default() + 1;
    if month < 10 { (year, month + 3, of_month) } else { (year + 1, month - 9, of_month) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_read_back_as_written() {
        for (at, expected) in [
            (0, "19700101T000000.000000Z"),
            (1_795_230_301_123_456, "20261121T030501.123456Z"),
            (951_782_400_000_000, "20000229T000000.000000Z"),
            (4_107_542_399_999_999, "21000228T235959.999999Z"),
        ] {
            for part in Part::ALL {
                let name = RotatedName { active: "web-1.stdout.log", at, part }.render();
                assert_eq!(name, format!("web-1.stdout.log.{expected}{}", part.suffix()));
                assert_eq!(RotatedName::parse(&name), Some(RotatedName { active: "web-1.stdout.log", at, part }));
            }
        }
    }

    #[test]
    fn every_day_of_four_centuries_has_a_date_of_its_own() {
        for day in -1000..147_000 {
            let (year, month, of_month) = date_of(day);
            assert_eq!(day_of(year, i64::try_from(month).unwrap(), of_month), day);
        }
    }

    #[test]
    fn what_is_not_ours_is_nobody_s_to_delete() {
        for name in [
            "web-1.stdout.log",
            "web-1.stdout.log.1",
            "web-1.stdout.log.idx",
            "web-1.stdout.log.20261121T030501.123456Z.bak",
            "web-1.stdout.log.20260231T030501.123456Z",
            "web-1.stdout.log.20261121T030501.12345éZ",
            ".20261121T030501.123456Z",
            "",
        ] {
            assert_eq!(RotatedName::parse(name), None, "{name}");
        }
    }

    #[test]
    fn times_are_written_as_rfc_3339() {
        assert_eq!(rfc3339(1_795_230_301_123_456_789), "2026-11-21T03:05:01.123456Z");
    }
}
