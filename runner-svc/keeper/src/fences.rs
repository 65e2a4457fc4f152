//! The leases of singletons: until when each may run, by the clock that counts
//! while the machine sleeps and that nobody can set (CLOCK_BOOTTIME). The
//! runner moves that on with every heartbeat that the registry has answered;
//! when it does not, because it is dead, hung or cut off and could not end the
//! program itself, the time comes, and whoever is left is killed here.

use crate::protocol::Fence;
use rustix::time::{
    ClockId, Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, clock_gettime, timerfd_create,
    timerfd_settime,
};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

/// The leases of all singletons.
#[derive(Debug)]
pub(crate) struct Fences {
    timer: OwnedFd,
    by_instance: BTreeMap<String, Fence>,
    armed: Option<u64>,
}

/// One of them, written down for the next program of this process.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct FenceImage {
    instance: String,
    fence: Fence,
}

impl Fences {
    pub(crate) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { timer, by_instance: BTreeMap::new(), armed: None })
    }

    /// The instance may run until then; `None`: for as long as it likes.
    pub(crate) fn set(&mut self, instance: &str, fence: Option<Fence>) -> io::Result<()> {
        match fence {
            Some(fence) => self.by_instance.insert(instance.to_owned(), fence),
            None => self.by_instance.remove(instance),
        };
        self.arm()
    }

    pub(crate) fn of(&self, instance: &str) -> Option<Fence> {
        self.by_instance.get(instance).copied()
    }

    /// The timer has fired: the instances whose time is over, which are not
    /// told again.
    pub(crate) fn take_due(&mut self) -> io::Result<Vec<String>> {
        let mut expirations = [0; 8];
        // Armed anew meanwhile: nothing to be read.
        let _ = rustix::io::read(&self.timer, &mut expirations);
        self.armed = None;
        let now = boot_nanos();
        let due: Vec<String> = self
            .by_instance
            .iter()
            .filter(|(_, fence)| fence.at <= now)
            .map(|(instance, _)| instance.clone())
            .collect();
        self.by_instance.retain(|_, fence| fence.at > now);
        self.arm()?;
        Ok(due)
    }

    /// Arms the timer for the earliest, or disarms it.
    fn arm(&mut self) -> io::Result<()> {
        let first = self.by_instance.values().map(|fence| fence.at).min();
        if first == self.armed {
            return Ok(());
        }
        // All zero disarms; a time that has passed fires at once.
        let at = first.map_or(0, |at| at.max(1));
        let it_value = Timespec {
            tv_sec: i64::try_from(at / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(at % 1_000_000_000).unwrap_or(0),
        };
        let value = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &value)?;
        self.armed = first;
        Ok(())
    }

    pub(crate) fn images(&self) -> Vec<FenceImage> {
        let image = |(instance, fence): (&String, &Fence)| FenceImage { instance: instance.clone(), fence: *fence };
        self.by_instance.iter().map(image).collect()
    }

    pub(crate) fn of_images(&mut self, images: Vec<FenceImage>) -> io::Result<()> {
        self.by_instance.extend(images.into_iter().map(|image| (image.instance, image.fence)));
        self.arm()
    }
}

impl AsFd for Fences {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

/// Nanoseconds since boot, sleep included.
pub(crate) fn boot_nanos() -> u64 {
    let now = clock_gettime(ClockId::Boottime);
    let (seconds, nanos) = (u64::try_from(now.tv_sec).unwrap_or(0), u64::try_from(now.tv_nsec).unwrap_or(0));
    seconds * 1_000_000_000 + nanos
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, Timespec as PollTime, poll};

    fn fence(at: u64) -> Option<Fence> {
        Some(Fence { confirmed: 1, at })
    }

    /// Whether the timer fires within ten seconds.
    fn fires(fences: &Fences) -> bool {
        let patience = PollTime { tv_sec: 10, tv_nsec: 0 };
        poll(&mut [PollFd::new(fences, PollFlags::IN)], Some(&patience)).unwrap() > 0
    }

    #[test]
    fn a_time_that_comes_is_told_once_and_one_that_was_moved_on_is_not() {
        let mut fences = Fences::new().unwrap();
        let soon = boot_nanos() + 50_000_000;
        fences.set("a-1", fence(soon)).unwrap();
        fences.set("b-1", fence(soon)).unwrap();
        fences.set("b-1", fence(soon + 3_600_000_000_000)).unwrap();
        fences.set("c-1", fence(soon)).unwrap();
        fences.set("c-1", None).unwrap();
        assert!(fires(&fences) && boot_nanos() >= soon);
        assert_eq!(fences.take_due().unwrap(), ["a-1"]);
        assert_eq!(fences.take_due().unwrap(), Vec::<String>::new());
        assert_eq!((fences.of("a-1"), fences.of("b-1").is_some()), (None, true));
    }

    #[test]
    fn leases_hold_in_the_next_program_and_one_that_ran_out_meanwhile_fires_at_once() {
        let mut before = Fences::new().unwrap();
        before.set("a-1", fence(5)).unwrap();
        before.set("b-1", fence(boot_nanos() + 3_600_000_000_000)).unwrap();
        let bytes = rmp_serde::to_vec_named(&before.images()).unwrap();
        let mut after = Fences::new().unwrap();
        after.of_images(rmp_serde::from_slice(&bytes).unwrap()).unwrap();
        assert!(fires(&after));
        assert_eq!(after.take_due().unwrap(), ["a-1"]);
        assert_eq!(after.of("b-1"), before.of("b-1"));
    }
}
