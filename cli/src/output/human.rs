//! Times, durations and sizes as people read them. Machine formats never use
//! these: they carry RFC 3339 times and whole bytes.

use chrono::{DateTime, Local, TimeZone, Utc};
use process_model::Timestamp;
use std::time::{Duration, SystemTime};

/// The wall clock.
#[must_use]
pub fn now() -> Timestamp {
    SystemTime::now().into()
}

/// The time from the wire; a malformed one is none.
#[must_use]
pub fn time(wire: Option<&prost_types::Timestamp>) -> Option<Timestamp> {
    wire.and_then(|t| pm_proto::convert::timestamp_from_wire("time", t).ok())
}

fn local(time: Timestamp) -> Option<DateTime<Local>> {
    let utc = Utc.timestamp_opt(time.seconds(), time.subsec_nanos()).single()?;
    Some(utc.with_timezone(&Local))
}

/// The local time of day; with the date when it is not today's.
#[must_use]
pub fn clock(time: Timestamp, now: Timestamp) -> String {
    match (local(time), local(now)) {
        (Some(time), Some(now)) if time.date_naive() == now.date_naive() => time.format("%H:%M:%S").to_string(),
        (Some(time), _) => time.format("%Y-%m-%d %H:%M:%S").to_string(),
        (None, _) => "?".to_owned(),
    }
}

/// Seconds, minutes, hours or days: the two largest units that say something.
#[must_use]
pub fn duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let two = |big: u64, big_unit: &str, small: u64, small_unit: &str| {
        if small == 0 { format!("{big}{big_unit}") } else { format!("{big}{big_unit}{small}{small_unit}") }
    };
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => two(seconds / 60, "m", seconds % 60, "s"),
        3600..86_400 => two(seconds / 3600, "h", seconds % 3600 / 60, "m"),
        86_400.. => two(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

/// The time between two points of the wall clock; zero when it went back.
#[must_use]
pub fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_nanos(u64::try_from(to.0.saturating_sub(from.0)).unwrap_or(0))
}

/// How long ago, in words.
#[must_use]
pub fn ago(time: Option<Timestamp>, now: Timestamp) -> String {
    time.map_or_else(|| "-".to_owned(), |t| duration(between(t, now)))
}

/// Bytes in binary units.
#[must_use]
pub fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} B");
    }
    // Precision to three digits is all that is shown.
    #[allow(clippy::cast_precision_loss)]
    let mut size = bytes as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1023.95 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// `1 process`, `2 processes`.
#[must_use]
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{number} {}", if number == 1 { one } else { many })
}

/// The first `max` characters, with a mark where something is missing; control
/// characters become spaces, so that no message can break a table.
#[must_use]
pub fn shorten(text: &str, max: usize) -> String {
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    if clean.chars().count() <= max {
        return clean;
    }
    let mut short: String = clean.chars().take(max.saturating_sub(1)).collect();
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_show_their_two_largest_units() {
        for (seconds, expected) in
            [(0, "0s"), (59, "59s"), (60, "1m"), (61, "1m1s"), (3600, "1h"), (7500, "2h5m"), (90_000, "1d1h")]
        {
            assert_eq!(duration(Duration::from_secs(seconds)), expected);
        }
    }

    #[test]
    fn sizes_use_binary_units() {
        for (size, expected) in
            [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1024 * 1024 - 1, "1.0 MiB"), (12_900_000, "12.3 MiB")]
        {
            assert_eq!(bytes(size), expected);
        }
        assert!(bytes(u64::MAX).ends_with("PiB"));
    }

    #[test]
    fn a_clock_that_went_back_gives_no_negative_time() {
        assert_eq!(between(Timestamp(5), Timestamp(3)), Duration::ZERO);
        assert_eq!(ago(None, Timestamp(3)), "-");
    }

    #[test]
    fn long_or_wild_text_is_made_fit_for_a_table() {
        assert_eq!(shorten("a\nb", 10), "a b");
        assert_eq!(shorten("abcdef", 4), "abc…");
    }
}
