//! mallopt(3): how the C library's allocator behaves in this process.

#![allow(unsafe_code)] // a C function without a safe wrapper; its block says why it is sound

/// Bytes from which a block is mapped on its own and given back when freed.
/// Said, because glibc otherwise raises it with each large block that is freed,
/// and buffers of a burst then stay.
#[cfg(target_env = "gnu")]
const LARGE: libc::c_int = 64 * 1024;

/// Keeps all threads in one arena, and large blocks out of it.
///
/// By default glibc gives each thread an arena of its own and does not hand
/// memory from one to the other: what a burst of starts leaves free in one
/// stays with the process. A host of a runner is to be small, and its threads
/// rarely allocate at the same time.
pub(crate) fn share_one_arena() {
    #[cfg(target_env = "gnu")]
    // SAFETY: mallopt takes two numbers and touches nothing of ours. It is called before any other thread exists
    // (`main_if_asked` is the first call of `main`), as the manual page asks for. A refusal changes nothing.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 1);
        libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 2 * LARGE);
    }
}
