//! What a child does between clone and exec. It shares memory with the keeper,
//! of which the thread that made it is suspended and the other one is not:
//! system calls only, no allocation, no locks, no unwinding.
//!
//! Order: what needs the keeper's privileges first, then the change of
//! identity, then what the program's user has to be allowed itself.

#![allow(unsafe_code)] // raw system calls in a process that shares memory; each block says why it is sound

use super::spawn::SHELL;
use std::ffi::{CStr, c_char, c_int, c_long, c_void};
use std::os::fd::RawFd;
use std::ptr;

/// Memory that parent and child share until the child's exec.
pub(super) struct Shared<'a> {
    pub(super) candidates: Vec<*const c_char>,
    pub(super) argv: Vec<*const c_char>,
    pub(super) env: Vec<*const c_char>,
    /// Arguments of a shell that runs a candidate, which takes the second place.
    pub(super) shell_argv: Vec<*const c_char>,
    pub(super) working_dir: *const c_char,
    pub(super) ids: Option<(u32, u32)>,
    pub(super) groups: Vec<libc::gid_t>,
    pub(super) groups_seen: Vec<libc::gid_t>,
    /// The keeper's table of descriptors is shared until the child leaves it; this is the first number that is not
    /// needed of it.
    pub(super) leaves_table: u32,
    pub(super) stdio: [RawFd; 3],
    pub(super) nofile: libc::rlimit,
    pub(super) mark: Option<libc::rlimit>,
    pub(super) umask: libc::mode_t,
    pub(super) ignored: u64,
    pub(super) attributes: Option<Attributes<'a>>,
    /// The child has begun to run.
    pub(super) began: bool,
    /// Stage, which of several things of it, errno.
    pub(super) failed: Option<(&'static str, usize, i32)>,
}

/// What few programs need: `Extras` as the child uses it.
pub(super) struct Attributes<'a> {
    pub(super) pid_variables: Vec<*mut u8>,
    pub(super) sockets: Vec<RawFd>,
    pub(super) enters: Vec<RawFd>,
    pub(super) rlimits: Vec<(libc::__rlimit_resource_t, libc::rlimit)>,
    pub(super) nice: Option<c_int>,
    pub(super) io_priority: Option<c_int>,
    pub(super) oom_score_adj: Option<(&'a CStr, bool)>,
    pub(super) cpus: &'a [u64],
    pub(super) no_new_privs: bool,
}

/// Stage of a failure, and which of several things of it; errno says why.
type Step = Result<(), (&'static str, usize)>;

/// `Err` unless the call went well.
fn check(result: impl Into<c_long>, stage: &'static str) -> Step {
    if result.into() < 0 { Err((stage, 0)) } else { Ok(()) }
}

/// The child's main function.
pub(super) extern "C" fn child_main(arg: *mut c_void) -> c_int {
    // SAFETY: `arg` is the `Shared` of `spawn`, which is suspended: this is its only user. Each call below takes
    // pointers into it that stay valid, and is a thin wrapper of a system call. Identity is changed by raw system
    // calls: glibc's wrappers would try to signal other threads through shared memory.
    unsafe {
        let shared = &mut *arg.cast::<Shared<'_>>();
        shared.began = true;
        if let Err((stage, index)) = prepare(shared) {
            shared.failed = Some((stage, index, *libc::__errno_location()));
        } else {
            let errno = exec(shared);
            shared.failed = Some(("exec", 0, errno));
        }
        libc::_exit(127)
    }
}

/// Everything before exec.
///
/// # Safety
/// Only in the child of `spawn`.
unsafe fn prepare(shared: &mut Shared<'_>) -> Step {
    // SAFETY: system calls on values of ours; see `child_main`.
    unsafe {
        // Before anything is done with a descriptor: from here on they are its own.
        let (first, how) = (shared.leaves_table, libc::CLOSE_RANGE_UNSHARE);
        check(libc::syscall(libc::SYS_close_range, first, u32::MAX, how), "close_range")?;
        check(libc::setsid(), "setsid")?;
        if let Some(attributes) = &shared.attributes {
            // First: what it does from now on is accounted for there.
            enter_cgroups(attributes)?;
        }
        for (fd, source) in (0..).zip(shared.stdio) {
            check(libc::dup2(source, fd), "stdio")?;
        }
        let mut first_closed = 3_u32;
        if let Some(attributes) = &mut shared.attributes {
            first_closed = place_sockets(&mut attributes.sockets)?;
        }
        check(libc::syscall(libc::SYS_close_range, first_closed, u32::MAX, 0_u32), "close_range")?;
        check(libc::setrlimit(libc::RLIMIT_NOFILE, &raw const shared.nofile), "rlimit")?;
        if let Some(mark) = &shared.mark {
            // Refused below another keeper, without privilege: then there are other ways to tell trees apart.
            libc::setrlimit(libc::RLIMIT_LOCKS, &raw const *mark);
        }
        libc::umask(shared.umask);
        if let Some(attributes) = &shared.attributes {
            with_privileges(attributes)?;
        }
        if let Some((uid, gid)) = shared.ids {
            become_user(uid, gid, &shared.groups, &mut shared.groups_seen)?;
        }
        if shared.attributes.as_ref().is_some_and(|attributes| attributes.no_new_privs) {
            check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1_u64, 0_u64, 0_u64, 0_u64), "no_new_privs")?;
        }
        // After the change of identity: the program's user has to be allowed in there.
        check(libc::chdir(shared.working_dir), "chdir")?;
        default_signals(shared.ignored);
        if let Some(attributes) = &shared.attributes {
            attributes.pid_variables.iter().for_each(|text| write_own_pid(*text));
        }
    }
    Ok(())
}

/// # Safety
/// Only in the child of `spawn`.
unsafe fn enter_cgroups(attributes: &Attributes<'_>) -> Step {
    for (index, procs) in attributes.enters.iter().enumerate() {
        // SAFETY: one byte of a constant is written; "0" is whoever writes (cgroups(7)).
        if unsafe { libc::write(*procs, c"0".as_ptr().cast(), 1) } < 0 {
            return Err(("cgroup", index));
        }
    }
    Ok(())
}

/// Puts sockets at 3 and above; returns the first number behind them.
///
/// # Safety
/// Only in the child of `spawn`: descriptors of the parent's number are
/// overwritten, in the child's own table.
unsafe fn place_sockets(sockets: &mut [RawFd]) -> Result<u32, (&'static str, usize)> {
    let behind = 3 + c_int::try_from(sockets.len()).unwrap_or(c_int::MAX - 3);
    for (index, socket) in sockets.iter_mut().enumerate() {
        // One that is in the place of another, or whose CLOEXEC flag dup2 would not clear, moves away first.
        if *socket < behind {
            // SAFETY: descriptors only.
            *socket = unsafe { libc::fcntl(*socket, libc::F_DUPFD, behind) };
        }
        if *socket < 0 {
            return Err(("socket", index));
        }
    }
    for (place, socket) in (3..).zip(sockets.iter()) {
        // SAFETY: descriptors only; whatever had this number is not needed any more.
        check(unsafe { libc::dup2(*socket, place) }, "socket")?;
    }
    Ok(behind.unsigned_abs())
}

/// What may need the keeper's privileges.
///
/// # Safety
/// Only in the child of `spawn`.
unsafe fn with_privileges(attributes: &Attributes<'_>) -> Step {
    // SAFETY: system calls on values of ours that live until exec.
    unsafe {
        if let Some((text, must)) = attributes.oom_score_adj {
            let written = write_file(c"/proc/self/oom_score_adj", text);
            if must {
                check(written, "oom_score_adj")?;
            }
        }
        if let Some(nice) = attributes.nice {
            check(libc::setpriority(libc::PRIO_PROCESS, 0, nice), "nice")?;
        }
        if let Some(priority) = attributes.io_priority {
            const WHO_PROCESS: c_int = 1;
            check(libc::syscall(libc::SYS_ioprio_set, WHO_PROCESS, 0, priority), "io_priority")?;
        }
        if !attributes.cpus.is_empty() {
            let size = size_of_val(attributes.cpus);
            check(libc::sched_setaffinity(0, size, attributes.cpus.as_ptr().cast()), "cpu_affinity")?;
        }
        // Last: a limit may forbid what comes after it.
        for (index, (resource, limit)) in attributes.rlimits.iter().enumerate() {
            check(libc::setrlimit(*resource, &raw const *limit), "rlimit").map_err(|(stage, _)| (stage, index + 1))?;
        }
    }
    Ok(())
}

/// # Safety
/// Only in the child of `spawn`.
unsafe fn write_file(path: &CStr, text: &CStr) -> c_int {
    // SAFETY: NUL-terminated strings; as many bytes are written as there are. The descriptor is closed again.
    unsafe {
        let fd = libc::open(path.as_ptr(), libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return -1;
        }
        let written = libc::write(fd, text.as_ptr().cast(), text.count_bytes());
        let errno = *libc::__errno_location();
        libc::close(fd);
        *libc::__errno_location() = errno;
        if written < 0 { -1 } else { 0 }
    }
}

/// Becomes a user for good, and looks whether that is so: a program that runs
/// with more than it was given is worse than one that does not run.
///
/// # Safety
/// Only in the child of `spawn`: raw system calls change this process alone.
unsafe fn become_user(uid: u32, gid: u32, groups: &[libc::gid_t], seen: &mut [libc::gid_t]) -> Step {
    const STAGE: &str = "user";
    // SAFETY: pointers to values of ours with their lengths.
    unsafe {
        check(libc::syscall(libc::SYS_setgroups, groups.len(), groups.as_ptr()), STAGE)?;
        check(libc::syscall(libc::SYS_setresgid, gid, gid, gid), STAGE)?;
        check(libc::syscall(libc::SYS_setresuid, uid, uid, uid), STAGE)?;
        let (mut uids, mut gids) = ([!uid; 3], [!gid; 3]);
        let [real, effective, saved] = &mut uids;
        check(libc::syscall(libc::SYS_getresuid, &raw mut *real, &raw mut *effective, &raw mut *saved), STAGE)?;
        let [real, effective, saved] = &mut gids;
        check(libc::syscall(libc::SYS_getresgid, &raw mut *real, &raw mut *effective, &raw mut *saved), STAGE)?;
        // More than there is room for is an error of its own.
        let count = libc::syscall(libc::SYS_getgroups, seen.len(), seen.as_mut_ptr());
        check(count, STAGE)?;
        let same_groups = usize::try_from(count) == Ok(groups.len())
            && groups.iter().all(|group| seen.iter().take(groups.len()).any(|other| other == group));
        // Capabilities outlive the change where an ancestor forbade their loss (SECBIT_NO_SETUID_FIXUP): then root is one call away.
        let is_root_again = uid != 0 && libc::syscall(libc::SYS_setresuid, 0, 0, 0) == 0;
        if uids != [uid; 3] || gids != [gid; 3] || !same_groups || is_root_again {
            *libc::__errno_location() = libc::EPERM;
            return Err((STAGE, 1));
        }
    }
    Ok(())
}

/// Writes this process's id behind the `=` of a prepared variable.
///
/// # Safety
/// `text` is a NUL-terminated `NAME=` with ten places behind the `=`.
unsafe fn write_own_pid(text: *mut u8) {
    let mut digits = [0_u8; 10];
    // SAFETY: getpid touches no memory.
    let mut rest = unsafe { libc::getpid() }.unsigned_abs();
    let mut count = 0;
    for digit in &mut digits {
        // A remainder of ten fits in a byte.
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
        count += 1;
        if rest == 0 {
            break;
        }
    }
    // SAFETY: the places are those that the caller promises: at most ten, and the NUL behind the last one used.
    unsafe {
        let mut place = text;
        while *place != b'=' {
            place = place.add(1);
        }
        for digit in digits.iter().take(count).rev() {
            place = place.add(1);
            *place = *digit;
        }
        *place.add(1) = 0;
    }
}

/// Gives the program default signal dispositions and an empty mask, whatever
/// the keeper ignores; what it catches becomes the default by exec.
///
/// # Safety
/// Only in the child of `spawn`: it changes the process's dispositions.
unsafe fn default_signals(ignored: u64) {
    // SAFETY: all-zero is SIG_DFL with an empty mask, and larger than the kernel's struct on every machine; signals that
    // cannot be changed return an error, which is right. The system call itself: glibc's wrapper leaves out the two
    // signals that it keeps for its threads, and whoever started us may have ignored those, too.
    unsafe {
        let default = [0_u64; 8];
        for signal in (1..=64).filter(|signal| ignored >> (signal - 1) & 1 != 0) {
            libc::syscall(libc::SYS_rt_sigaction, signal, default.as_ptr(), ptr::null_mut::<c_void>(), 8_usize);
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
/// Only in the child of `spawn`.
unsafe fn exec(shared: &mut Shared<'_>) -> i32 {
    let mut best = libc::ENOENT;
    for candidate in &shared.candidates {
        // SAFETY: NUL-terminated strings and null-terminated vectors of `Shared`.
        let mut errno = unsafe {
            libc::execve(*candidate, shared.argv.as_ptr(), shared.env.as_ptr());
            *libc::__errno_location()
        };
        // A script without its first line: as everywhere else, a shell runs it.
        if errno == libc::ENOEXEC
            // SAFETY: a NUL-terminated string of `Shared`.
            && unsafe { is_text(*candidate) }
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

/// Whether a file begins like a script: a program for another machine is
/// nothing that a shell could run.
///
/// # Safety
/// Only in the child of `spawn`; `path` is NUL-terminated.
unsafe fn is_text(path: *const c_char) -> bool {
    let mut head = [0_u8; 128];
    // SAFETY: at most as many bytes are read as there is room for; the descriptor is closed again.
    let read = unsafe {
        let fd = libc::open(path, libc::O_RDONLY | libc::O_CLOEXEC);
        let read = libc::read(fd, head.as_mut_ptr().cast(), head.len());
        libc::close(fd);
        usize::try_from(read).unwrap_or(0)
    };
    !head.iter().take(read).any(|byte| *byte == 0)
}
