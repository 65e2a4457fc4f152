//! The system's chance, taken away. Two things in tokio draw lots: who of
//! several watchers of one value is woken first, and which ready branch of an
//! unbiased `select!` goes on; the library has one of the latter. Their seed
//! comes from the standard library's hash keys, and those from `getrandom`.
//! So this test binary brings its own: every process that runs a seed draws
//! the same lots, and a failing seed fails again.
#![allow(unsafe_code)]

/// Takes the place of libc's function of this name in this binary.
///
/// # Safety
/// As in libc: `buffer` points to `length` writable bytes.
#[unsafe(no_mangle)]
unsafe extern "C" fn getrandom(buffer: *mut u8, length: usize, _flags: u32) -> isize {
    // SAFETY: the caller gives a buffer of this length.
    unsafe { buffer.write_bytes(0x5a, length) };
    isize::try_from(length).unwrap_or(isize::MAX)
}
