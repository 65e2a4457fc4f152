//! What a child has between clone and exec.
//!
//! Its descriptors are at low numbers. A keeper of a thousand programs has thousands of descriptors. A child that
//! begins with a copy of them all pays for each, and again for closing it; and
//! to close a log file on a disk that hangs may take as long as that hangs. One
//! that shares the table and leaves it with what is below a number
//! (`CLOSE_RANGE_UNSHARE`, Linux 5.9) pays for a handful.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd, RawFd};

/// The child's stack: what it calls is shallow, 64 KiB is ample (glibc's own
/// posix_spawn uses 32 KiB).
const STACK: usize = 64 * 1024;

/// Standard input, output and error, and what most programs at most get beside: a few sockets, the cgroups of a few
/// controllers. Who gets more has it at whatever numbers are free.
const PLACES: usize = 3 + 8;

/// Where a child is until it runs a program: places for its descriptors, and a
/// stack.
#[derive(Debug)]
pub(crate) struct Cradle {
    places: Vec<OwnedFd>,
    null: OwnedFd,
    /// Touched at its end alone: most of it never is in memory.
    stack: Box<[u8]>,
}

impl Cradle {
    /// Takes the lowest numbers that are free: to be made before much is open.
    pub(crate) fn take(null: BorrowedFd<'_>) -> io::Result<Self> {
        let places = (0..PLACES).map(|_| lowest(null)).collect::<io::Result<_>>()?;
        Ok(Self { places, null: lowest(null)?, stack: vec![0; STACK].into_boxed_slice() })
    }

    /// Puts descriptors there; returns their numbers.
    pub(super) fn fill(&mut self, descriptors: &[BorrowedFd<'_>]) -> io::Result<Vec<RawFd>> {
        while self.places.len() < descriptors.len() {
            self.places.push(lowest(self.null.as_fd())?);
        }
        self.places
            .iter_mut()
            .zip(descriptors)
            .map(|(place, descriptor)| {
                rustix::io::dup3(descriptor, place, rustix::io::DupFlags::CLOEXEC)?;
                Ok(place.as_raw_fd())
            })
            .collect()
    }

    /// Lets go of the first so many of them: a pipe is closed when nobody has it.
    pub(super) fn clear(&mut self, filled: usize) {
        for place in self.places.iter_mut().take(filled) {
            // Of two open descriptors, the second of which is closed by the call: nothing there can fail.
            let _ = rustix::io::dup3(&self.null, place, rustix::io::DupFlags::CLOEXEC);
        }
        self.places.truncate(PLACES);
    }

    pub(super) fn stack(&mut self) -> &mut [u8] {
        &mut self.stack
    }

    /// The first number behind the places.
    pub(super) fn end(&self) -> RawFd {
        self.places.iter().map(AsRawFd::as_raw_fd).max().unwrap_or(2) + 1
    }
}

/// Not one of the standard ones, though they may be closed: the child's own go there.
fn lowest(of: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(of, 3)?)
}
