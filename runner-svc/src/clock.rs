//! Time and chance for the domain: the only place of this crate that asks for
//! them.

use process_model::Timestamp;
use runner_domain::{Context, RunId};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// Monotonic time since this process first asked.
pub(crate) fn monotonic() -> Duration {
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// Time since this node was booted, its sleep included; the same for every
/// process of it.
pub(crate) fn boot_time() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Wall-clock time, for records.
pub(crate) fn wall() -> Timestamp {
    SystemTime::now().into()
}

/// Run ids: unique on this node for ever, because each runner begins above
/// everything that was used before.
#[derive(Debug)]
pub(crate) struct RunIds(AtomicU64);

impl RunIds {
    pub(crate) fn starting_above(used: u64) -> Self {
        Self(AtomicU64::new(used + 1))
    }

    fn next(&self) -> RunId {
        RunId(self.0.fetch_add(1, Ordering::Relaxed))
    }

    /// Time and chance for one step.
    pub(crate) fn context(&self) -> Context {
        Context { now: monotonic(), wall: wall(), roll: roll(), next_run: self.next() }
    }
}

/// A random number from 0 to 1; one half when the kernel gives none, which
/// only takes the jitter away.
pub(crate) fn roll() -> f64 {
    let bits = getrandom::u32().unwrap_or(u32::MAX / 2);
    f64::from(bits) / f64::from(u32::MAX)
}
