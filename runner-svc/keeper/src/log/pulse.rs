//! Whether the scribe gets on. A timer fires in the keeper's loop a second
//! after something began, and once a second while something goes on; an idle
//! keeper is never woken.

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// The scribe's pulse.
#[derive(Debug)]
pub(super) struct Pulse {
    /// Odd: the scribe is at work. Grows with each step.
    steps: AtomicU64,
    armed: AtomicBool,
    timer: OwnedFd,
}

/// What a look at it found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Beat {
    /// Nothing to do.
    Idle,
    /// At this step.
    At(u64),
}

impl Pulse {
    pub(super) fn new() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { steps: AtomicU64::new(0), armed: AtomicBool::new(false), timer })
    }

    /// The scribe begins to work.
    pub(super) fn begin(&self) {
        self.steps.fetch_add(1, Ordering::SeqCst);
        self.arm();
    }

    /// The scribe gets on.
    pub(super) fn step(&self) {
        self.steps.fetch_add(2, Ordering::SeqCst);
    }

    /// The scribe has nothing more to do.
    pub(super) fn end(&self) {
        self.steps.fetch_add(1, Ordering::SeqCst);
    }

    /// Where the scribe is.
    pub(super) fn look(&self) -> Beat {
        match self.steps.load(Ordering::SeqCst) {
            idle if idle % 2 == 0 => Beat::Idle,
            step => Beat::At(step),
        }
    }

    /// The timer fired. Fires again if the scribe is at work.
    pub(super) fn fired(&self) -> Beat {
        let mut expirations = [0; 8];
        // Nothing to be read: somebody has armed it anew.
        let _ = rustix::io::read(&self.timer, &mut expirations);
        // Before the look: whoever begins after it arms the timer himself.
        self.armed.store(false, Ordering::SeqCst);
        let beat = self.look();
        if beat != Beat::Idle {
            self.arm();
        }
        beat
    }

    fn arm(&self) {
        if self.armed.swap(true, Ordering::SeqCst) {
            return;
        }
        let second = Timespec { tv_sec: 1, tv_nsec: 0 };
        let value = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value: second };
        // Of a timer of ours, with a valid time: cannot fail.
        let _ = timerfd_settime(&self.timer, TimerfdTimerFlags::empty(), &value);
    }
}

impl AsFd for Pulse {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.timer.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::event::{PollFd, PollFlags, poll};

    #[test]
    fn a_scribe_at_work_is_looked_at_and_an_idle_one_is_left_alone() {
        let pulse = Pulse::new().unwrap();
        assert_eq!(pulse.look(), Beat::Idle);
        pulse.begin();
        let wait = |pulse: &Pulse| poll(&mut [PollFd::new(pulse, PollFlags::IN)], None).unwrap();
        wait(&pulse);
        let first = pulse.fired();
        assert_eq!(first, pulse.look());
        assert_ne!(first, Beat::Idle);
        pulse.step();
        assert_ne!(pulse.look(), first, "it gets on");
        wait(&pulse);
        assert_ne!(pulse.fired(), first);
        pulse.end();
        wait(&pulse);
        assert_eq!(pulse.fired(), Beat::Idle);
        assert!(!pulse.armed.load(Ordering::SeqCst), "an idle keeper is woken");
    }
}
