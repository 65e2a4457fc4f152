//! close_range(2): letting go of descriptors that nobody in this process has
//! asked for.

#![allow(unsafe_code)] // a system call without a safe wrapper; its block says why it is sound

/// Closes everything but standard input, output and error.
///
/// Only for the start of a process, before anything was opened.
pub(crate) fn close_inherited() {
    // SAFETY: the call touches no memory. It is unsound to close a descriptor that something in this process owns and
    // would go on using: this runs as the first thing of a keeper, on its only thread, when no `File`, socket or other
    // owner of a descriptor exists but for standard input, output and error, which stay. The C library keeps none open
    // between calls. A refusal (Linux before 5.9) changes nothing.
    unsafe {
        libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32);
    }
}
