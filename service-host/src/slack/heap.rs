//! What is free on the heap.

#![allow(unsafe_code)] // a C function without a safe wrapper; its block says why it is sound

/// Gives what is free back to the kernel, page by page.
pub(super) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: malloc_trim takes a number and gives pages back that no block lies in; it may be called by any thread
    // at any time. Nothing to give back is no error.
    unsafe {
        libc::malloc_trim(0);
    }
}
