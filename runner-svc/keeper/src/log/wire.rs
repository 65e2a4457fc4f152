//! The read end of a run's pipe, as two threads have it: the scribe, which
//! writes what comes out of it, and the keeper's loop, which reads in its
//! stead while a disk hangs, so that no program waits for that.

use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// A pipe, and what both have to know of it.
#[derive(Debug)]
pub(crate) struct Wire {
    pub(crate) pipe: OwnedFd,
    /// Something was read that is not in the file yet. Set before the read: whoever finds the pipe empty and then
    /// this false knows that everything is there.
    busy: AtomicBool,
    /// Bytes that the loop has read and dropped, and that the file does not count yet.
    missing: AtomicU64,
}

impl Wire {
    pub(crate) fn new(pipe: OwnedFd) -> Self {
        Self { pipe, busy: AtomicBool::new(false), missing: AtomicU64::new(0) }
    }

    /// Nothing is on its way from the program to the file.
    pub(super) fn is_quiet(&self) -> bool {
        rustix::io::ioctl_fionread(&self.pipe).is_ok_and(|bytes| bytes == 0) && !self.busy.load(Ordering::Acquire)
    }

    pub(super) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Release);
    }

    pub(super) fn drop_bytes(&self, bytes: usize) {
        self.missing.fetch_add(bytes as u64, Ordering::AcqRel);
    }

    /// Drops what is in it, which nobody will read. Only for a pipe that nobody else reads.
    pub(super) fn drop_rest(&self) {
        let mut buffer = [0; 4096];
        while let Ok(n @ 1..) = rustix::io::read(&self.pipe, &mut buffer) {
            self.drop_bytes(n);
        }
    }

    /// What is missing, which the caller counts from now on.
    pub(super) fn take_missing(&self) -> u64 {
        self.missing.swap(0, Ordering::AcqRel)
    }
}

/// Who reads the pipes.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Stand>);

#[derive(Debug, Default)]
struct Stand {
    /// The loop reads.
    in_stead: bool,
    /// The scribe is back, and the loop has not been told.
    back: bool,
}

impl Gate {
    fn lock(&self) -> MutexGuard<'_, Stand> {
        // Nothing panics while it holds this.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads as the scribe, who is back if it was away.
    pub(super) fn as_scribe<T>(&self, read: impl FnOnce() -> T) -> T {
        let mut stand = self.lock();
        stand.back |= std::mem::take(&mut stand.in_stead);
        read()
    }

    /// Whether the scribe came back since this was asked for last.
    pub(super) fn came_back(&self) -> bool {
        std::mem::take(&mut self.lock().back)
    }

    /// Whether the loop reads.
    pub(super) fn is_in_stead(&self) -> bool {
        self.lock().in_stead
    }

    /// From now on the loop reads.
    pub(super) fn stand_in(&self) {
        self.lock().in_stead = true;
    }

    /// Reads in the stead of the scribe; `None`: it is back.
    pub(super) fn in_stead<T>(&self, read: impl FnOnce() -> T) -> Option<T> {
        let stand = self.lock();
        stand.in_stead.then(read)
    }
}
