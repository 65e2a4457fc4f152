//! One timer on the clock that counts while the machine sleeps and that nobody
//! can set (timerfd_create(2), CLOCK_BOOTTIME).

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;
use tokio::io::unix::AsyncFd;

/// Arms and waits; one owner.
#[derive(Debug)]
pub(crate) struct BootTimer {
    fd: AsyncFd<OwnedFd>,
}

impl BootTimer {
    #[expect(deprecated, reason = "its successor is unsafe; an owned descriptor keeps what that asks for")]
    pub(crate) fn new() -> io::Result<Self> {
        let fd = timerfd_create(TimerfdClockId::Boottime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        Ok(Self { fd: AsyncFd::new(fd)? })
    }

    /// Arms it for `at`, or disarms it. Replaces what was armed.
    pub(crate) fn arm(&self, at: Option<Duration>) -> io::Result<()> {
        // All zero disarms; a time that has passed fires at once.
        let at = at.map_or(Duration::ZERO, |at| at.max(Duration::from_nanos(1)));
        let it_value =
            Timespec { tv_sec: i64::try_from(at.as_secs()).unwrap_or(i64::MAX), tv_nsec: at.subsec_nanos().into() };
        let value = Itimerspec { it_interval: Timespec { tv_sec: 0, tv_nsec: 0 }, it_value };
        timerfd_settime(&self.fd, TimerfdTimerFlags::ABSTIME, &value)?;
        Ok(())
    }

    /// Waits until it fires.
    pub(crate) async fn wait(&self) -> io::Result<()> {
        loop {
            let mut guard = self.fd.readable().await?;
            let mut expirations = [0; 8];
            match guard.try_io(|fd| Ok(rustix::io::read(fd, &mut expirations)?)) {
                Ok(read) => return read.map(drop),
                // Somebody armed it anew between the event and the read.
                Err(_would_block) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::boot_time;
    use tokio::time::timeout;

    #[tokio::test]
    async fn it_fires_at_its_time_not_before_and_once() {
        let timer = BootTimer::new().unwrap();
        let at = boot_time() + Duration::from_millis(50);
        timer.arm(Some(at)).unwrap();
        timeout(Duration::from_secs(10), timer.wait()).await.unwrap().unwrap();
        assert!(boot_time() >= at);
        assert!(timeout(Duration::from_millis(50), timer.wait()).await.is_err());
        timer.arm(Some(Duration::ZERO)).unwrap();
        timeout(Duration::from_secs(10), timer.wait()).await.unwrap().unwrap();
    }
}
