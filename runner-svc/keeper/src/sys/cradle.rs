//! What a child has between clone and exec.
//!
//! Its descriptors are at low numbers. A keeper of a thousand programs has thousands of descriptors. A child that
//! begins with a copy of them all pays for each, and again for closing it. One
//! that shares the table and leaves it with what is below a number
//! (`CLOSE_RANGE_UNSHARE`, Linux 5.9) pays for a handful.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The child's stack: what it calls is shallow, 64 KiB is ample (glibc's own
/// posix_spawn uses 32 KiB).
const STACK: usize = 64 * 1024;

/// Where a child is until it runs a program: places for its standard input,
/// output and error, and a stack.
#[derive(Debug)]
pub(crate) struct Cradle {
    places: [OwnedFd; 3],
    null: OwnedFd,
    /// Touched at its end alone: most of it never is in memory.
    stack: Box<[u8]>,
}

impl Cradle {
    /// Takes the lowest numbers that are free: to be made before much is open.
    pub(crate) fn take(null: BorrowedFd<'_>) -> io::Result<Self> {
        // Not one of the standard ones, though they may be closed: the child's own go there.
        let lowest = || rustix::io::fcntl_dupfd_cloexec(null, 3);
        let stack = vec![0; STACK].into_boxed_slice();
        Ok(Self { places: [lowest()?, lowest()?, lowest()?], null: lowest()?, stack })
    }

    /// Puts descriptors there; returns their numbers.
    pub(super) fn fill(&mut self, stdio: [BorrowedFd<'_>; 3]) -> io::Result<[RawFd; 3]> {
        for (place, descriptor) in self.places.iter_mut().zip(stdio) {
            put(descriptor, place)?;
        }
        Ok(self.places.each_ref().map(AsRawFd::as_raw_fd))
    }

    /// Lets go of what is there: a pipe is closed when nobody has it.
    pub(super) fn clear(&mut self) {
        for place in &mut self.places {
            // Of two open descriptors, the second of which is closed by the call: nothing there can fail.
            let _ = put(self.null.as_fd(), place);
        }
    }

    pub(super) fn stack(&mut self) -> &mut [u8] {
        &mut self.stack
    }

    /// The first number behind the places.
    pub(super) fn end(&self) -> RawFd {
        self.places.iter().map(AsRawFd::as_raw_fd).max().unwrap_or(2) + 1
    }
}

fn put(descriptor: BorrowedFd<'_>, place: &mut OwnedFd) -> io::Result<()> {
    Ok(rustix::io::dup3(descriptor, place, rustix::io::DupFlags::CLOEXEC)?)
}
