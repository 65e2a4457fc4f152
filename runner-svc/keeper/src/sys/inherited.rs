//! Descriptors that came through execve(2): only their numbers are known.

#![allow(unsafe_code)] // a number becomes an owner; the block says why it is sound

use super::cradle::LOW;
use rustix::io::{FdFlags, fcntl_dupfd_cloexec, fcntl_getfd, fcntl_setfd};
use std::io;
use std::os::fd::{BorrowedFd, FromRawFd, OwnedFd, RawFd};

/// Takes a descriptor over from the program that this process was before, and
/// keeps it from the programs that it starts.
///
/// Only for numbers that the former program wrote down for this one, each once.
pub(crate) fn take(number: RawFd) -> io::Result<OwnedFd> {
    if number <= 2 {
        return Err(io::Error::other("standard input, output and error belong to nobody"));
    }
    // SAFETY: borrowed only for this call, which asks the kernel whether it is open at all.
    let open = fcntl_getfd(unsafe { BorrowedFd::borrow_raw(number) });
    open?;
    // SAFETY: it is open, as was just asked. Nobody in this process owns it: a program begins without owners, the
    // standard ones are left out, and each number is taken once, before anything else is opened that could have got
    // the same one: `Numbers` takes all of them first.
    let owned = unsafe { OwnedFd::from_raw_fd(number) };
    fcntl_setfd(&owned, FdFlags::CLOEXEC)?;
    // Low numbers are for children.
    if number < LOW { fcntl_dupfd_cloexec(&owned, LOW).map_err(Into::into) } else { Ok(owned) }
}
