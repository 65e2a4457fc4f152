//! Values in the words of messages.

use std::time::Duration;

const DAY: u64 = 24 * 3600;

/// A duration as a process file would have it. Whole days stay days: a year of
/// 365 of them is not 11 months, 30 days and some hours.
pub(crate) fn duration(value: Duration) -> String {
    match (value.as_secs(), value.subsec_nanos()) {
        (DAY, 0) => "1day".to_owned(),
        (seconds, 0) if seconds > 0 && seconds.is_multiple_of(DAY) => format!("{}days", seconds / DAY),
        _ => humantime::format_duration(value).to_string(),
    }
}

/// A size as a process file would have it: the largest binary unit that leaves
/// a whole number.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u32); 5] = [("PiB", 50), ("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let whole = UNITS.iter().find(|(_, shift)| bytes != 0 && bytes.trailing_zeros() >= *shift);
    whole.map_or_else(|| format!("{bytes} bytes"), |(unit, shift)| format!("{}{unit}", bytes >> shift))
}

#[cfg(test)]
mod tests {
    use super::{duration, size};
    use std::time::Duration;

    #[test]
    fn durations_and_sizes_are_said_as_they_are_written() {
        let days = |days: u64| duration(Duration::from_secs(days * super::DAY));
        assert_eq!((days(0), days(1), days(365)), ("0s".into(), "1day".into(), "365days".into()));
        assert_eq!(duration(Duration::from_millis(90_500)), "1m 30s 500ms");
        assert_eq!((size(4096), size(1 << 50), size(1000)), ("4KiB".into(), "1PiB".into(), "1000 bytes".into()));
        assert_eq!(size(0), "0 bytes");
    }
}
