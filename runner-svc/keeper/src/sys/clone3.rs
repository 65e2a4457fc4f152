//! clone3(2): a child that begins its life in a cgroup.
//!
//! Entering a cgroup by a write to `cgroup.procs` waits for a grace period of
//! RCU, up to 20 ms as measured; to be born in one (CLONE_INTO_CGROUP) costs
//! nothing. glibc offers no call for it, and the system call returns twice, the
//! second time on another stack: hence a few instructions of assembly.

#![allow(unsafe_code)] // a system call without a wrapper; each block says why it is sound

use std::ffi::{c_int, c_void};

/// Whether there is such a call: this machine's instructions are known here,
/// and the kernel looks at what it is asked for instead of refusing.
pub(super) fn is_available() -> bool {
    let is_known = cfg!(any(target_arch = "x86_64", target_arch = "aarch64"));
    // SAFETY: with a size of 0 the kernel reads nothing and clones nothing: it answers EINVAL, or ENOSYS.
    let answer = unsafe { libc::syscall(libc::SYS_clone3, std::ptr::null::<c_void>(), 0_usize) };
    is_known && answer < 0 && std::io::Error::last_os_error().raw_os_error() == Some(libc::EINVAL)
}

/// What the child runs.
pub(super) type Main = extern "C" fn(*mut c_void) -> c_int;

/// A clone as `flags` say, on `stack`, into the cgroup whose directory is open
/// as `cgroup`; the new descriptor is stored in `pidfd`. A negative result is an
/// errno.
///
/// # Safety
/// As for clone(2) with a function: `stack` has to be of the child alone until
/// it has gone, `main` must never return and may use `arg` only as long as that
/// lives. `flags` have CLONE_VM, CLONE_VFORK and CLONE_PIDFD.
pub(super) unsafe fn clone_into(
    main: Main,
    arg: *mut c_void,
    stack: &mut [u8],
    flags: c_int,
    pidfd: &mut c_int,
    cgroup: c_int,
) -> isize {
    // SAFETY: all-zero is a valid `clone_args`: every field is a number.
    let mut args: libc::clone_args = unsafe { std::mem::zeroed() };
    args.flags = u64::from(flags.unsigned_abs()) | CLONE_INTO_CGROUP;
    args.pidfd = (&raw mut *pidfd).expose_provenance() as u64;
    args.exit_signal = u64::from(libc::SIGCHLD.unsigned_abs());
    // The kernel adds the size to get the top, which the ABI wants at a multiple of 16.
    let size = stack.len() - (stack.as_ptr_range().end.addr() % 16);
    args.stack = stack.as_mut_ptr().expose_provenance() as u64;
    args.stack_size = size as u64;
    args.cgroup = u64::from(cgroup.unsigned_abs());
    // SAFETY: the contract of this function is that of `enter`; `args` lives across the call.
    unsafe { enter(&raw const args, main, arg) }
}

/// `CLONE_INTO_CGROUP` (linux/sched.h).
const CLONE_INTO_CGROUP: u64 = 0x2_0000_0000;

/// # Safety
/// See [`clone_into`].
#[cfg(target_arch = "x86_64")]
unsafe fn enter(args: *const libc::clone_args, main: Main, arg: *mut c_void) -> isize {
    let result: isize;
    // SAFETY: the parent passes through as after any system call, which clobbers rax, rcx and r11 only. The child has
    // the parent's registers and an aligned stack of its own, on which it calls `main` and never comes back from it:
    // it touches no frame of the parent. The call needs no red zone: it is on the child's stack.
    unsafe {
        core::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, {arg}",
            "call {main}",
            "ud2",
            "2:",
            arg = in(reg) arg,
            main = in(reg) main,
            inout("rax") libc::SYS_clone3 as isize => result,
            in("rdi") args,
            in("rsi") size_of::<libc::clone_args>(),
            out("rcx") _,
            out("r11") _,
        );
    }
    result
}

/// # Safety
/// See [`clone_into`].
#[cfg(target_arch = "aarch64")]
unsafe fn enter(args: *const libc::clone_args, main: Main, arg: *mut c_void) -> isize {
    let result: isize;
    // SAFETY: as on x86_64; the system call clobbers x0 only, and the child never comes back from `main`.
    unsafe {
        core::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x0, {arg}",
            "blr {main}",
            "brk 1",
            "2:",
            arg = in(reg) arg,
            main = in(reg) main,
            inout("x0") args => result,
            in("x1") size_of::<libc::clone_args>(),
            in("x8") libc::SYS_clone3,
            out("x30") _,
        );
    }
    result
}

/// # Safety
/// None is needed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn enter(_: *const libc::clone_args, _: Main, _: *mut c_void) -> isize {
    -(libc::ENOSYS as isize)
}
