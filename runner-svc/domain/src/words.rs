//! Numbers as people read them.

use process_model::Timestamp;
use std::time::Duration;

/// As `1.5 s`, or `3h 20m` from a minute on.
pub(crate) fn duration(duration: Duration) -> String {
    if duration < Duration::from_secs(60) {
        return format!("{:.1} s", duration.as_secs_f64());
    }
    humantime::format_duration(Duration::from_secs(duration.as_secs())).to_string()
}

/// As `1.5 GiB`.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [(u32, &str); 4] = [(40, "TiB"), (30, "GiB"), (20, "MiB"), (10, "KiB")];
    match UNITS.iter().find(|(shift, _)| bytes >> shift > 0) {
        // A tenth of a unit, rounded down: without floats, which cannot hold every number of bytes.
        Some((shift, unit)) => {
            let tenths = (u128::from(bytes) * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        }
        None => format!("{bytes} B"),
    }
}

/// As `2026-01-31T07:00:00Z`.
pub(crate) fn time(time: Timestamp) -> String {
    let since = u64::try_from(time.seconds()).unwrap_or(0);
    // Years beyond 9999 have no such form.
    let shown = Duration::from_secs(since.min(253_402_300_799));
    humantime::format_rfc3339_seconds(std::time::UNIX_EPOCH + shown).to_string()
}

/// As `1 restart`, `2 restarts`.
pub(crate) fn restarts(count: u32) -> String {
    format!("{count} restart{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_people_read_them() {
        assert_eq!(duration(Duration::from_millis(1500)), "1.5 s");
        assert_eq!(duration(Duration::from_secs(12_000)), "3h 20m");
        assert_eq!(bytes(1000), "1000 B");
        assert_eq!(bytes(3 << 29), "1.5 GiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
        assert_eq!(time(Timestamp(1_000_000_000)), "1970-01-01T00:00:01Z");
        assert_eq!((restarts(1), restarts(2)), ("1 restart".into(), "2 restarts".into()));
    }
}
