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
/// Restarts within a window.
pub const RESTART_LIMIT: RangeInclusive<u32> = 1..=1_000_000;
/// The window that restarts are counted in.
pub const RESTART_WINDOW: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(24 * 3600);
/// Memory above which an instance is restarted or limited, bytes.
pub const MEMORY: RangeInclusive<u64> = 1 << 20..=1 << 50;
/// Longest run.
pub const MAX_RUNTIME: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(365 * 24 * 3600);
/// Time that a hook may take.
pub const HOOK_TIMEOUT: RangeInclusive<Duration> = Duration::from_millis(1)..=Duration::from_secs(3600);
/// Steps of a stop.
pub const STOP_STEPS: usize = 16;
/// Successes in a row that make an instance ready.
pub const PROBE_SUCCESSES: RangeInclusive<u32> = 1..=1000;
/// Time between two `WATCHDOG=1`.
pub const NOTIFY_WATCHDOG: RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
/// Mode bits.
pub const MODE_BITS: RangeInclusive<u32> = 0..=0o777;
/// Scheduling priority (nice(2)).
pub const NICE: RangeInclusive<i64> = -20..=19;
/// oom_score_adj (proc(5)).
pub const OOM_SCORE_ADJ: RangeInclusive<i64> = -1000..=1000;
/// Level of an I/O priority (ioprio_set(2)).
pub const IO_LEVEL: RangeInclusive<u32> = 0..=7;
/// Number of a CPU.
pub const CPU_NUMBER: RangeInclusive<u32> = 0..=1023;
/// Thousandths of a CPU that an instance may use.
pub const CPU_MILLIS: RangeInclusive<u32> = 10..=1_024_000;
/// Processes and threads that an instance may have.
pub const PIDS: RangeInclusive<u32> = 1..=4_194_304;
/// Waiting connections of a socket.
pub const BACKLOG: RangeInclusive<u32> = 1..=65_535;
/// Longest path of a Unix socket (unix(7)).
pub const UNIX_PATH_BYTES: usize = 107;
/// Size of a log file at which it is rotated.
pub const LOG_MAX_SIZE: RangeInclusive<u64> = 4096..=1 << 40;
/// Age of a log file at which it is rotated; time that one is kept.
pub const LOG_AGE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(10 * 365 * 24 * 3600);
/// Rotated files that are kept.
pub const LOG_MAX_FILES: RangeInclusive<u32> = 1..=10_000;
/// Bytes of all log files of a process.
pub const LOG_QUOTA: RangeInclusive<u64> = 8192..=1 << 50;
/// Quiet time of a log rule.
pub const LOG_COOLDOWN: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
/// Random delay of a scheduled start.
pub const SCHEDULE_JITTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
/// Instances on one node.
pub const MAX_PER_NODE: RangeInclusive<u32> = 1..=10_000;
/// Thousandths of a CPU that an instance takes of a node's.
pub const RESERVED_CPU_MILLIS: RangeInclusive<u32> = 0..=1_024_000;
/// Memory that an instance takes of a node's, bytes.
pub const RESERVED_MEMORY: RangeInclusive<u64> = 0..=1 << 50;
/// Loss of a node after which its instances go elsewhere.
pub const REPLACE_AFTER: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(365 * 24 * 3600);
/// Silence after which a node ends a singleton. Shorter than the lease of a
/// node helps nobody, and one lost message would end it.
pub const SINGLETON_LEASE: RangeInclusive<Duration> = Duration::from_secs(5)..=Duration::from_secs(24 * 3600);
/// Time that an instance has to have been ready for.
pub const MIN_READY: RangeInclusive<Duration> = Duration::ZERO..=Duration::from_secs(24 * 3600);
/// Time that an update may go on without progress.
pub const PROGRESS_DEADLINE: RangeInclusive<Duration> = Duration::from_secs(1)..=Duration::from_secs(7 * 24 * 3600);
/// Longest regular expression.
pub const PATTERN_BYTES: usize = 4096;
/// Entries of a list: environment files, sockets, rules, dependencies.
pub const LIST: usize = 256;
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
    /// Time that a hook may take.
    pub const HOOK_TIMEOUT: Duration = Duration::from_secs(30);
    /// Silence after which a node ends a singleton: three times the lease of a
    /// node, so that a registry that changes its leader ends none.
    pub const SINGLETON_LEASE: Duration = Duration::from_secs(30);
    /// Instances that may not serve while others come to a new spec, of a
    /// hundred (Kubernetes' own default).
    pub const MAX_UNAVAILABLE_PERCENT: u8 = 25;
    /// Time that an update may go on without progress (as in Kubernetes).
    pub const PROGRESS_DEADLINE: Duration = Duration::from_secs(600);
    /// Waiting connections of a socket (Linux' own default since 5.4).
    pub const BACKLOG: u32 = 4096;
    /// Permission bits of a Unix socket.
    pub const SOCKET_MODE: u32 = 0o660;
    /// Mode bits that new files do not get.
    pub const UMASK: u32 = 0o022;
    /// Size at which a log file is rotated.
    pub const LOG_MAX_SIZE: u64 = 64 << 20;
    /// Rotated files that are kept.
    pub const LOG_MAX_FILES: u32 = 10;
    /// Quiet time of a log rule.
    pub const LOG_COOLDOWN: Duration = Duration::from_secs(10);
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
