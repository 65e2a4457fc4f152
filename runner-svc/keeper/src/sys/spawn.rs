//! clone(2) and execve(2): a program started the way posix_spawn(3) does it
//! (shared memory, parent suspended), with what that call cannot do: own
//! session, identity, working directory, limits, cgroup, and the stage of a
//! failure. What the child does is in `child`.
//!
//! Why not `std::process::Command`: its `pre_exec` copies the page tables
//! (fork), which costs milliseconds in a grown process, and it cannot say
//! which step failed.

#![allow(unsafe_code)] // clone(2) with shared memory has no safe wrapper; each block says why it is sound

use super::child::{Attributes, Shared, child_main};
use super::clone3;
use super::cradle::Cradle;
use crate::protocol::Identity;
use std::ffi::{CString, c_char, c_int, c_void};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
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
    pub(crate) umask: libc::mode_t,
    /// Signals that are ignored here, a bit for each from 1 on: the one
    /// disposition that a program would inherit.
    pub(crate) ignored: u64,
    /// What few programs need.
    pub(crate) extras: Option<Box<Extras<'a>>>,
}

/// What few programs need; nothing of it by default.
#[derive(Debug, Default)]
pub(crate) struct Extras<'a> {
    /// Names of variables whose value is the child's own pid.
    pub(crate) pid_variables: Vec<&'static str>,
    /// Descriptors for 3 and what follows.
    pub(crate) sockets: Vec<BorrowedFd<'a>>,
    /// Directory of the cgroup (version 2) to be born in.
    pub(crate) born_in: Option<OwnedFd>,
    /// `cgroup.procs` files to be entered into.
    pub(crate) enters: Vec<OwnedFd>,
    /// Resources by their number, with soft and hard limit.
    pub(crate) rlimits: Vec<(libc::__rlimit_resource_t, u64, u64)>,
    pub(crate) nice: Option<c_int>,
    /// As ioprio_set(2) takes it.
    pub(crate) io_priority: Option<c_int>,
    /// The text for `/proc/self/oom_score_adj`, and whether a refusal is a failure.
    pub(crate) oom_score_adj: Option<(CString, bool)>,
    /// Bits of the CPUs that it may run on; empty: all.
    pub(crate) cpus: Vec<u64>,
    pub(crate) no_new_privs: bool,
}

/// A step that failed in the child.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) stage: &'static str,
    /// Which of several things of that stage: see `launch`.
    pub(crate) index: usize,
    pub(crate) error: std::io::Error,
}

/// A started program.
#[derive(Debug)]
pub(crate) struct Child {
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
}

/// `NAME=`, a place for a pid of ten digits, NUL.
fn pid_variable(name: &str) -> Vec<u8> {
    format!("{name}=          \0").into_bytes()
}

/// Starts the program of `plan`.
///
/// Returns once the program has been loaded, or with the step that failed; in
/// that case nothing of the child is left.
pub(crate) fn spawn(plan: &Plan<'_>, cradle: &mut Cradle) -> Result<Child, Failure> {
    let extras = plan.extras.as_deref();
    let mut descriptors = vec![plan.stdin, plan.stdout, plan.stderr];
    let sockets = extras.map_or(&[][..], |extras| &extras.sockets);
    descriptors.extend(sockets);
    descriptors.extend(extras.into_iter().flat_map(|extras| &extras.enters).map(AsFd::as_fd));
    let child = cradle
        .fill(&descriptors)
        .map_err(|error| Failure { stage: "stdio", index: 0, error })
        .and_then(|numbers| clone_and_exec(plan, Numbers { all: &numbers, sockets: sockets.len() }, cradle));
    cradle.clear(descriptors.len());
    child
}

/// Numbers of what the child gets: standard input, output and error, sockets, `cgroup.procs` files.
struct Numbers<'a> {
    all: &'a [RawFd],
    /// How many of them are sockets.
    sockets: usize,
}

impl Numbers<'_> {
    fn stdio(&self) -> [RawFd; 3] {
        self.all.first_chunk().copied().unwrap_or([-1; 3])
    }

    fn sockets(&self) -> Vec<RawFd> {
        self.all.iter().skip(3).take(self.sockets).copied().collect()
    }

    fn enters(&self) -> Vec<RawFd> {
        self.all.iter().skip(3 + self.sockets).copied().collect()
    }
}

/// As [`spawn`], with everything in its place.
fn clone_and_exec(plan: &Plan<'_>, numbers: Numbers<'_>, cradle: &mut Cradle) -> Result<Child, Failure> {
    let extras = plan.extras.as_deref();
    let mut texts: Vec<Vec<u8>> =
        extras.into_iter().flat_map(|e| &e.pid_variables).map(|name| pid_variable(name)).collect();
    // Written to by the child through these pointers, and by nobody else until it has gone.
    let variables: Vec<*mut u8> = texts.iter_mut().map(Vec::as_mut_ptr).collect();
    let env = plan.env.iter().map(|s| s.as_ptr()).chain(variables.iter().map(|p| p.cast::<c_char>().cast_const()));
    let mut shared = Shared {
        candidates: plan.candidates.iter().map(|s| s.as_ptr()).collect(),
        argv: null_terminated(plan.argv.iter().map(|s| s.as_ptr())),
        env: null_terminated(env),
        shell_argv: shell_argv(&plan.argv),
        working_dir: plan.working_dir.as_ptr(),
        ids: plan.identity.map(|id| (id.uid, id.gid)),
        groups: plan.identity.map(|id| id.groups.clone()).unwrap_or_default(),
        // Room for what the kernel says that the groups are, and for one more.
        groups_seen: vec![0; plan.identity.map_or(0, |id| id.groups.len() + 1)],
        leaves_table: cradle.end().unsigned_abs(),
        stdio: numbers.stdio(),
        nofile: libc::rlimit { rlim_cur: plan.nofile.0, rlim_max: plan.nofile.1 },
        mark: plan.mark.map(|mark| libc::rlimit { rlim_cur: mark, rlim_max: mark }),
        umask: plan.umask,
        ignored: plan.ignored,
        attributes: extras.map(|extras| Attributes {
            pid_variables: variables,
            sockets: numbers.sockets(),
            enters: numbers.enters(),
            rlimits: extras
                .rlimits
                .iter()
                .map(|(resource, soft, hard)| (*resource, libc::rlimit { rlim_cur: *soft, rlim_max: *hard }))
                .collect(),
            nice: extras.nice,
            io_priority: extras.io_priority,
            oom_score_adj: extras.oom_score_adj.as_ref().map(|(text, must)| (text.as_c_str(), *must)),
            cpus: &extras.cpus,
            no_new_privs: extras.no_new_privs,
        }),
        began: false,
        failed: None,
    };
    let mut pidfd: c_int = -1;
    let stack = cradle.stack();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::CLONE_FILES;
    let born_in = extras.and_then(|extras| extras.born_in.as_ref()).map(AsRawFd::as_raw_fd);
    // SAFETY: CLONE_VFORK suspends this thread until the child has called execve or _exit; so `shared`, `stack`,
    // `pidfd`, the variables and the strings of `plan` outlive every use by the child, and nobody else touches them
    // meanwhile: they are this thread's alone. The other thread goes on, in the same memory; the child takes no lock and
    // allocates nothing, so that it never waits for it. The child runs on its own stack; the pointer is the end of that allocation,
    // aligned down to 16 bytes as the ABI asks. The child shares the table of descriptors, too, and changes nothing in it before
    // it has one of its own. All signals are blocked around the call, so no handler of ours can
    // run in the child. `child_main` never returns into Rust frames of the parent.
    let pid = unsafe {
        let mut all: libc::sigset_t = std::mem::zeroed();
        let mut before: libc::sigset_t = std::mem::zeroed();
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        let arg = (&raw mut shared).cast::<c_void>();
        let outcome = match born_in {
            Some(cgroup) => {
                let result = clone3::clone_into(child_main, arg, stack, flags, &mut pidfd, cgroup);
                c_int::try_from(result).map_err(std::io::Error::other)
            }
            .and_then(|n| if n < 0 { Err(std::io::Error::from_raw_os_error(-n)) } else { Ok(n) }),
            None => {
                let end = stack.as_mut_ptr().add(stack.len());
                let top = end.sub(end.addr() % 16);
                let pid = libc::clone(child_main, top.cast(), flags | libc::SIGCHLD, arg, &raw mut pidfd);
                if pid < 0 { Err(std::io::Error::last_os_error()) } else { Ok(pid) }
            }
        };
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const before, ptr::null_mut());
        outcome.map_err(|error| Failure { stage: "clone", index: 0, error })
    }?;
    // SAFETY: clone succeeded, so the kernel stored a new descriptor of ours there.
    let pidfd = unsafe { OwnedFd::from_raw_fd(pidfd) };
    // A group that was killed as a whole once kills whoever is cloned into it from another (as seen with Linux 6.18).
    let stillborn = (!shared.began).then_some(("clone", 0, libc::ECANCELED));
    if let Some((stage, index, errno)) = shared.failed.or(stillborn) {
        // The child has called _exit, or was killed: collect it, so that nobody takes it for a run.
        let _ = rustix::process::waitid(
            rustix::process::WaitId::PidFd(pidfd.as_fd()),
            rustix::process::WaitIdOptions::EXITED,
        );
        return Err(Failure { stage, index, error: std::io::Error::from_raw_os_error(errno) });
    }
    Ok(Child { pid: pid.unsigned_abs(), pidfd })
}

/// Whether a child can be born in a cgroup: the kernel, and whoever filters
/// system calls, knows clone3, and so do we. (Born in a cgroup since Linux 5.7.)
pub(crate) fn can_be_born_in_cgroup() -> bool {
    clone3::is_available()
}

fn null_terminated(strings: impl Iterator<Item = *const c_char>) -> Vec<*const c_char> {
    strings.chain([ptr::null()]).collect()
}

/// The shell of `exec`'s last resort.
pub(super) const SHELL: &std::ffi::CStr = c"/bin/sh";

/// `/bin/sh`, a place for the program's path, its arguments.
fn shell_argv(argv: &[CString]) -> Vec<*const c_char> {
    let arguments = argv.iter().skip(1).map(|s| s.as_ptr());
    null_terminated([SHELL.as_ptr(), SHELL.as_ptr()].into_iter().chain(arguments))
}
