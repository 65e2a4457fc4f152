//! Times and durations.

use super::WireFault;
use process_model::Timestamp;
use std::time::Duration;

/// A wall-clock time for the wire.
#[must_use]
pub fn timestamp_to_wire(time: Timestamp) -> prost_types::Timestamp {
    prost_types::Timestamp { seconds: time.seconds(), nanos: i32::try_from(time.subsec_nanos()).unwrap_or(0) }
}

/// A wall-clock time from the wire.
///
/// # Errors
/// The nanoseconds are not between 0 and 999,999,999.
pub fn timestamp_from_wire(field: &'static str, time: &prost_types::Timestamp) -> Result<Timestamp, WireFault> {
    match u32::try_from(time.nanos) {
        Ok(nanos) if nanos < 1_000_000_000 => Ok(Timestamp::from_parts(time.seconds, nanos)),
        Ok(_) | Err(_) => Err(WireFault::new(field, format!("{} nanoseconds are out of range", time.nanos))),
    }
}

/// A duration for the wire.
#[must_use]
pub fn duration_to_wire(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or(0),
    }
}

/// A duration from the wire.
///
/// # Errors
/// It is negative or malformed.
pub fn duration_from_wire(field: &'static str, duration: &prost_types::Duration) -> Result<Duration, WireFault> {
    let parts = (u64::try_from(duration.seconds), u32::try_from(duration.nanos));
    match parts {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => Ok(Duration::new(seconds, nanos)),
        _ => Err(WireFault::new(field, "is negative or malformed")),
    }
}
