//! clone(2) and execve(2): a program started the way posix_spawn(3) does it
//! (shared memory, parent suspended), with what that call cannot do: own
//! session, identity, working directory, limits, and the stage of a failure.
//!
//! Why not `std::process::Command`: its `pre_exec` copies the page tables
//! (fork), which costs milliseconds in a grown process, and it cannot say
//! which step failed.

#![allow(unsafe_code)] // clone(2) with shared memory has no safe wrapper; each block says why it is sound

use crate::protocol::Identity;
use std::ffi::{CString, c_char, c_int, c_void};
use std::os::fd::{AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;

/// What the child does on its way to the program.
#[derive(Debug)]
pub(crate) struct Plan<'a> {
    /// Paths to try, in order.
    pub(crate) candidates: Vec<CString>,
    pub(crate) argv: Vec<CString>,
    pub(crate) env: Vec<CString>,
    pub(crate) working_dir: CString,
    pub(crate) identity: Option<&'a Identity>,
    pub(crate) stdin: BorrowedFd<'a>,
    pub(crate) stdout: BorrowedFd<'a>,
    pub(crate) stderr: BorrowedFd<'a>,
    /// Open-file limit to give back: the keeper raised its own.
    pub(crate) nofile: (u64, u64),
    /// The mark of the run: see `mark`.
    pub(crate) mark: Option<u64>,
}

/// A step that failed in the child.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) stage: &'static str,
    pub(crate) error: std::io::Error,
}

/// A started program.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

/// Memory that parent and child share until the child's exec.
struct Shared {
    candidates: Vec<*const c_char>,
    argv: Vec<*const c_char>,
    env: Vec<*const c_char>,
    /// Arguments of a shell that runs a candidate, which takes the second place.
    shell_argv: Vec<*const c_char>,
    working_dir: *const c_char,
    ids: Option<(u32, u32)>,
    groups: Vec<libc::gid_t>,
    stdio: [RawFd; 3],
    nofile: libc::rlimit,
    mark: Option<libc::rlimit>,
    failed: Option<(&'static str, i32)>,
}

/// The child's stack: what it calls is shallow, 64 KiB is ample (glibc's own
/// posix_spawn uses 32 KiB).
const STACK: usize = 64 * 1024;

/// Starts the program of `plan`.
///
/// Returns once the program has been loaded, or with the step that failed; in
/// that case nothing of the child is left.
pub(crate) fn spawn(plan: &Plan<'_>) -> Result<Child, Failure> {
    let mut shared = Shared {
        candidates: plan.candidates.iter().map(|s| s.as_ptr()).collect(),
        argv: null_terminated(&plan.argv),
        env: null_terminated(&plan.env),
        shell_argv: shell_argv(&plan.argv),
        working_dir: plan.working_dir.as_ptr(),
        ids: plan.identity.map(|id| (id.uid, id.gid)),
        groups: plan.identity.map(|id| id.groups.clone()).unwrap_or_default(),
        stdio: [plan.stdin.as_raw_fd(), plan.stdout.as_raw_fd(), plan.stderr.as_raw_fd()],
        nofile: libc::rlimit { rlim_cur: plan.nofile.0, rlim_max: plan.nofile.1 },
        mark: plan.mark.map(|mark| libc::rlimit { rlim_cur: mark, rlim_max: mark }),
        failed: None,
    };
    let mut stack = vec![0_u8; STACK];
    let mut pidfd: c_int = -1;
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: CLONE_VFORK suspends this thread, the only one of the process, until the child has called execve or
    // _exit; so `shared`, `stack`, `pidfd` and the strings of `plan` outlive every use by the child, and nobody
    // else touches them meanwhile. The child runs on its own stack; the pointer is the end of that allocation,
    // aligned down to 16 bytes as the ABI asks. All signals are blocked around the call, so no handler of ours can
    // run in the child. `child_main` never returns into Rust frames of the parent.
    let pid = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let end = stack.as_mut_ptr().add(STACK);
        let top = end.sub(end.addr() % 16);
        let arg = (&raw mut shared).cast::<c_void>();
        let pid = libc::clone(child_main, top.cast(), flags, arg, &raw mut pidfd);
        let error = std::io::Error::last_os_error();
        libc::sigprocmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        if pid < 0 { Err(Failure { stage: "clone", error }) } else { Ok(pid) }
    }?;
    // SAFETY: clone succeeded, so the kernel stored a new descriptor of ours there.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    if let Some((stage, errno)) = shared.failed {
        // The child has called _exit: collect it, so that nobody takes it for a run.
        let _ = rustix::process::waitid(
            rustix::process::WaitId::PidFd(std::os::fd::AsFd::as_fd(&pidfd)),
            rustix::process::WaitIdOptions::EXITED,
        );
        return Err(Failure { stage, error: std::io::Error::from_raw_os_error(errno) });
    }
    Ok(Child { pid: pid.unsigned_abs(), pidfd })
}

fn null_terminated(strings: &[CString]) -> Vec<*const c_char> {
    strings.iter().map(|s| s.as_ptr()).chain([ptr::null()]).collect()
}

/// The shell of [`exec`]'s last resort.
const SHELL: &std::ffi::CStr = c"/bin/sh";

/// `/bin/sh`, a place for the program's path, its arguments.
fn shell_argv(argv: &[CString]) -> Vec<*const c_char> {
    let arguments = argv.iter().skip(1).map(|s| s.as_ptr());
    [SHELL.as_ptr(), SHELL.as_ptr()].into_iter().chain(arguments).chain([ptr::null()]).collect()
}

/// The child: system calls only, no allocation, no locks, no unwinding.
extern "C" fn child_main(arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the `Shared` of `spawn`, which is suspended: this is its only user. Each call below takes
    // pointers into it that stay valid, and is a thin wrapper of a system call. Identity is changed by raw system
    // calls: glibc's wrappers would try to signal other threads through shared memory.
    unsafe {
        let shared = &mut *arg.cast::<Shared>();
        let outcome = prepare(shared);
        if let Err(stage) = outcome {
            shared.failed = Some((stage, *libc::__errno_location()));
        } else {
            let errno = exec(shared);
            shared.failed = Some(("exec", errno));
        }
        libc::_exit(127)
    }
}

/// Everything before exec. `Err` is the stage that failed; errno says why.
///
/// # Safety
/// Only in the child of [`spawn`].
unsafe fn prepare(shared: &Shared) -> Result<(), &'static str> {
    let check = |result: libc::c_long, stage| if result < 0 { Err(stage) } else { Ok(()) };
    // SAFETY: system calls on values of ours; see `child_main`.
    unsafe {
        check(libc::setsid().into(), "setsid")?;
        for (fd, source) in (0..).zip(shared.stdio) {
            check(libc::dup2(source, fd).into(), "stdio")?;
        }
        check(libc::syscall(libc::SYS_close_range, 3_u32, u32::MAX, 0_u32), "close_range")?;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const shared.nofile).into(), "rlimit")?;
        if let Some(mark) = &shared.mark {
            // Refused below another keeper, without privilege: then there are other ways to tell trees apart.
            libc::setrlimit(libc::RLIMIT_LOCKS, &raw const *mark);
        }
        libc::umask(0o022);
        if let Some((uid, gid)) = shared.ids {
            check(libc::syscall(libc::SYS_setgroups, shared.groups.len(), shared.groups.as_ptr()), "setgroups")?;
            check(libc::syscall(libc::SYS_setresgid, gid, gid, gid), "setgid")?;
            check(libc::syscall(libc::SYS_setresuid, uid, uid, uid), "setuid")?;
        }
        // After the change of identity: the program's user has to be allowed in there.
        check(libc::chdir(shared.working_dir).into(), "chdir")?;
        default_signals();
    }
    Ok(())
}

/// Gives the program default signal dispositions and an empty mask, whatever
/// the keeper ignores.
///
/// # Safety
/// Only in the child of [`spawn`]: it changes the process's dispositions.
unsafe fn default_signals() {
    // SAFETY: all-zero is SIG_DFL with an empty mask; signals that cannot be changed return an error, which is right.
    unsafe {
        let default: libc::sigaction = std::mem::zeroed();
        for signal in 1..=64 {
            libc::sigaction(signal, &raw const default, ptr::null_mut());
        }
        let mut none: libc::sigset_t = std::mem::zeroed();
        libc::sigemptyset(&raw mut none);
        libc::sigprocmask(libc::SIG_SETMASK, &raw const none, ptr::null_mut());
    }
}

/// Tries the candidates as execvp(3) does; returns the errno that explains the
/// failure best.
///
/// # Safety
/// Only in the child of [`spawn`].
unsafe fn exec(shared: &mut Shared) -> i32 {
    let mut best = libc::ENOENT;
    for candidate in &shared.candidates {
        // SAFETY: NUL-terminated strings and null-terminated vectors of `Shared`.
        let mut errno = unsafe {
            libc::execve(*candidate, shared.argv.as_ptr(), shared.env.as_ptr());
            *libc::__errno_location()
        };
        // A script without its first line: as everywhere else, a shell runs it.
        if errno == libc::ENOEXEC
            && let Some(place) = shared.shell_argv.get_mut(1)
        {
            *place = *candidate;
            // SAFETY: as above; `shell_argv` is null-terminated behind the place that was just filled.
            errno = unsafe {
                libc::execve(SHELL.as_ptr(), shared.shell_argv.as_ptr(), shared.env.as_ptr());
                *libc::__errno_location()
            };
        }
        match errno {
            libc::ENOENT | libc::ENOTDIR => {}
            // There is one, but it may not be run: remember that, and look on.
            libc::EACCES => best = libc::EACCES,
            other => return other,
        }
    }
    best
}
