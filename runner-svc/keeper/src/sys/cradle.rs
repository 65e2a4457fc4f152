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

/// Numbers below this are for children. The kernel copies a table in steps of so many: what is below is in the copy,
/// though it is closed at once.
pub(super) const LOW: RawFd = 64;

/// Where a child is until it runs a program: places for its descriptors, and a
/// stack.
#[derive(Debug)]
pub(crate) struct Cradle {
    places: Vec<OwnedFd>,
    /// More places than these are made for who needs them, and are not kept: the child has a copy of everything then.
    reserved: usize,
    null: OwnedFd,
    /// Touched at its end alone: most of it never is in memory.
    stack: Box<[u8]>,
}

impl Cradle {
    /// Takes every low number that is free: whatever is opened later is no child's.
    pub(crate) fn take(null: BorrowedFd<'_>) -> io::Result<Self> {
        let mut places = Vec::new();
        let null = loop {
            let next = lowest(null)?;
            if next.as_raw_fd() >= LOW {
                break next;
            }
            places.push(next);
        };
        Ok(Self { reserved: places.len(), places, null, stack: vec![0; STACK].into_boxed_slice() })
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
        self.places.truncate(self.reserved);
    }

    pub(super) fn stack(&mut self) -> &mut [u8] {
        &mut self.stack
    }

    /// The first number that no child needs.
    pub(super) fn end(&self) -> RawFd {
        self.places.iter().map(AsRawFd::as_raw_fd).max().unwrap_or(2) + 1
    }
}

/// Not one of the standard ones, though they may be closed: the child's own go there.
fn lowest(of: BorrowedFd<'_>) -> io::Result<OwnedFd> {
    Ok(rustix::io::fcntl_dupfd_cloexec(of, 3)?)
}
