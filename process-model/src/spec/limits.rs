//! Ranges and defaults of a spec, in one place: the document reader, the wire
//! conversion, the JSON Schema and the documentation all quote these.

use std::ops::RangeInclusive;
use std::time::Duration;

/// Instances of one process.
pub const INSTANCES: RangeInclusive<u32> = 0..=10_000;
/// Ports.
pub const PORT: RangeInclusive<u32> = 1..=65_535;
/// Silence before the log watchdog restarts.
pub const WATCHDOG_TIMEOUT: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(3600);
/// Time between looks at the watched file.
pub const WATCHDOG_INTERVAL: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(300);
/// Waits of the stop sequence.
pub const STOP_TIMEOUT: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);
/// Delays between restarts; zero restarts at once.
pub const BACKOFF: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
/// Multiplier of the delay.
pub const BACKOFF_FACTOR: RangeInclusive<f64> = 1.0..=100.0;
/// Random share of the delay.
pub const BACKOFF_JITTER: RangeInclusive<f64> = 0.0..=1.0;
/// Time of running after which an instance is stable.
pub const RESET_AFTER: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// Time between probes, and the wait before the first.
pub const PROBE_INTERVAL: RangeInclusive<Duration> = Duration::from_millis(10)..=Duration::from_secs(3600);
/// Wait before the first probe.
pub const PROBE_INITIAL_DELAY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(3600);
/// Longest wait for a probe's answer.
pub const PROBE_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(600);
/// Failures in a row that make an instance unready.
pub const PROBE_FAILURES: RangeInclusive<u32> = 1..=1000;
/// Restarts in a row before giving up; 0 is no limit.
pub const MAX_RESTARTS: RangeInclusive<u32> = 0..=1_000_000;
/// Longest single text (command line, environment value, path): Linux refuses
/// longer ones (`MAX_ARG_STRLEN`, execve(2)).
pub const TEXT_BYTES: usize = 128 * 1024 - 1;
/// Longest path: `PATH_MAX`, limits.h(0p).
pub const PATH_BYTES: usize = 4095;

/// Defaults of what may be left out.
pub mod default {
    use super::Duration;

    /// S1.5: the first delay.
    pub const BACKOFF_INITIAL: Duration = Duration::from_secs(1);
    /// S1.5: each delay doubles.
    pub const BACKOFF_FACTOR: f64 = 2.0;
    /// S1.5: the longest delay.
    pub const BACKOFF_MAX: Duration = Duration::from_secs(60);
    /// Spreads restarts of many instances that failed together.
    pub const BACKOFF_JITTER: f64 = 0.1;
    /// No limit: a service is to come back after a long outage of what it needs.
    pub const MAX_RESTARTS: u32 = 0;
    /// An instance that ran this long is stable.
    pub const RESET_AFTER: Duration = Duration::from_secs(60);
    /// S2.6: wait after SIGTERM.
    pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);
    /// S2.6: wait after SIGKILL.
    pub const KILL_TIMEOUT: Duration = Duration::from_secs(2);
    /// Time between probes.
    pub const PROBE_INTERVAL: Duration = Duration::from_secs(2);
    /// Longest wait for an answer.
    pub const PROBE_TIMEOUT: Duration = Duration::from_secs(1);
    /// Failures in a row that make a ready instance unready.
    pub const PROBE_FAILURES: u32 = 3;
    /// S2.2: silence before a restart.
    pub const WATCHDOG_TIMEOUT: Duration = Duration::from_secs(60);
    /// S2.2: time between looks.
    pub const WATCHDOG_INTERVAL: Duration = Duration::from_secs(5);
}
