//! One timer on the wall clock (timerfd_create(2)): it also wakes when
//! somebody sets that clock, or when the machine wakes from its sleep, because
//! then what was armed may be wrong.

use process_model::Timestamp;
use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use tokio::io::unix::AsyncFd;

/// Arms and waits; one owner.
#[derive(Debug)]
pub(crate) struct WallTimer {
    fd: AsyncFd<OwnedFd>,
}

impl WallTimer {
    #[expect(deprecated, reason = "its successor is unsafe; an owned descriptor keeps what that asks for")]
    pub(crate) fn new() -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { fd: AsyncFd::new(fd)? })
    }

    /// Arms it for `at`, or disarms it. Replaces what was armed. Returns false
    /// when the clock was set meanwhile: look at it anew.
    pub(crate) fn arm(&self, at: Option<Timestamp>) -> io::Result<bool> {
        // All zero disarms; a time that has passed fires at once.
        let it_value = at.map_or(Timespec { tv_sec: 0, tv_nsec: 0 }, |at| Timespec {
            tv_sec: at.seconds().max(1),
            tv_nsec: at.subsec_nanos().into(),
        });
        let value = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        let watched = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
        match timerfd_settime(&self.fd, watched, &value) {
            Ok(_) => Ok(true),
            // Armed, but the step of the clock was not read yet.
            Err(Errno::CANCELED) => Ok(false),
            // A kernel without the flag: steps of the clock are noticed when the timer fires.
            Err(Errno::INVAL) => Ok(timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &value).map(|_| true)?),
            Err(error) => Err(error.into()),
        }
    }

    /// Waits until it fires or the clock is set.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        loop {
            let mut guard = self.fd.readable().await?;
            let mut expirations = [0; 8];
            match guard.try_io(|fd| Ok(rustix::io::read(fd, &mut expirations)?)) {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) if error.raw_os_error() == Some(Errno::CANCELED.raw_os_error()) => return Ok(()),
                Ok(Err(error)) => return Err(error),
                // Somebody armed it anew between the event and the read.
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::wall;
    use std::time::Duration;
    use tokio::time::timeout;

    #[tokio::test]
    async fn it_fires_at_its_time_and_not_before() {
        let timer = WallTimer::new().unwrap();
        let at = wall().plus(Duration::from_millis(50));
        assert!(timer.arm(Some(at)).unwrap());
        timeout(Duration::from_secs(10), timer.wait()).await.unwrap().unwrap();
        assert!(wall() >= at);
    }

    #[tokio::test]
    async fn a_time_that_has_passed_fires_at_once_and_only_once() {
        let timer = WallTimer::new().unwrap();
        for at in [Timestamp(0), Timestamp(-5), wall()] {
            assert!(timer.arm(Some(at)).unwrap());
            timeout(Duration::from_secs(10), timer.wait()).await.unwrap().unwrap();
        }
        assert!(timeout(Duration::from_millis(50), timer.wait()).await.is_err());
        assert!(timer.arm(Some(wall().plus(Duration::from_secs(3600)))).unwrap());
        assert!(timer.arm(None).unwrap());
        assert!(timeout(Duration::from_millis(50), timer.wait()).await.is_err());
    }
}
