//! From a request to a started program.
//!
//! In: the request, the ends of its outputs, what it gets beside. Out: the
//! child, or the stage that failed and why, in words that name the thing.

use crate::protocol::SpawnRequest;
use crate::sys::cradle::Cradle;
use crate::sys::spawn::{Child, Extras, Failure, Plan, spawn};
use process_model::spec::{Execution, IoClass, IoPriority, Resource, Rlimit};
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::Path;

/// Why a run could not be started.
#[derive(Debug)]
pub(crate) struct SpawnFailure {
    pub(crate) stage: &'static str,
    pub(crate) message: String,
    pub(crate) errno: Option<i32>,
}

impl SpawnFailure {
    pub(crate) fn new(stage: &'static str, what: &str, error: &io::Error) -> Self {
        Self { stage, message: format!("{what}: {error}"), errno: error.raw_os_error() }
    }

    /// Whether it may go better without a cgroup: a lack of processes or
    /// memory is none of that.
    pub(crate) fn is_of_cgroup(&self) -> bool {
        let is_lack = matches!(self.errno, Some(libc::EAGAIN | libc::ENOMEM | libc::EMFILE | libc::ENFILE));
        matches!(self.stage, "clone" | "cgroup") && !is_lack
    }
}

/// What the keeper is and has, as far as programs get it or must not.
#[derive(Debug)]
pub(crate) struct Legacy {
    /// Soft and hard limit of open files to give back: the keeper raised its own.
    nofile: (u64, u64),
    /// Hard limit of core files, when the soft one is not 0 and thus inherited.
    core: Option<u64>,
    /// Whether the keeper is protected when memory is out.
    protected: bool,
    /// Signals that the keeper ignores, as whoever started it did.
    ignored: u64,
    cradle: Cradle,
}

impl Legacy {
    /// Looks at this process.
    pub(crate) fn of_this_process(nofile: (u64, u64), null: BorrowedFd<'_>) -> io::Result<Self> {
        use nix::sys::resource::{Resource, getrlimit};
        let core = getrlimit(Resource::RLIMIT_CORE).ok().filter(|(soft, _)| *soft > 0).map(|(_, hard)| hard);
        let score = fs::read_to_string("/proc/self/oom_score_adj").unwrap_or_default();
        Ok(Self {
            nofile,
            core,
            protected: score.trim_start().starts_with('-'),
            ignored: ignored(),
            cradle: Cradle::take(null)?,
        })
    }
}

/// The signals that this process ignores (proc_pid_status(5)); all, if that
/// cannot be read.
fn ignored() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let bits = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    bits.and_then(|bits| u64::from_str_radix(bits.trim(), 16).ok()).unwrap_or(u64::MAX)
}

/// What a run gets beside what its request says.
#[derive(Debug, Default)]
pub(crate) struct Beside<'a> {
    /// Sockets for 3 and above, with their names.
    pub(crate) sockets: Vec<(BorrowedFd<'a>, &'a str)>,
    /// Name of its notify socket, as `NOTIFY_SOCKET` has it.
    pub(crate) notify: Option<&'a str>,
    /// Directory of a cgroup (version 2) to be born in.
    pub(crate) born_in: Option<OwnedFd>,
    /// `cgroup.procs` of others, with what is said when that fails.
    pub(crate) enters: Vec<(OwnedFd, String)>,
}

/// Standard input, output, error.
pub(crate) type Stdio<'a> = [BorrowedFd<'a>; 3];

/// Starts the program of `request`.
pub(crate) fn launch(
    request: &SpawnRequest,
    stdio: Stdio<'_>,
    beside: Beside<'_>,
    legacy: &mut Legacy,
    mark: Option<u64>,
) -> Result<Child, SpawnFailure> {
    let program = request.argv.first().map_or("", String::as_str);
    let text = |text: &str| {
        CString::new(text).map_err(|e| SpawnFailure { stage: "exec", message: format!("{program}: {e}"), errno: None })
    };
    let texts = |items: &[String]| items.iter().map(|item| text(item)).collect::<Result<Vec<_>, _>>();
    let entered: Vec<String> = beside.enters.iter().map(|(_, what)| what.clone()).collect();
    let env = environment(request, &beside);
    let extras = extras(request, beside, legacy)?;
    let [stdin, stdout, stderr] = stdio;
    let plan = Plan {
        candidates: texts(&candidates(program, &request.env))?,
        argv: texts(&request.argv)?,
        env: texts(&env)?,
        working_dir: text(&request.working_dir)?,
        identity: request.identity.as_ref(),
        stdin,
        stdout,
        stderr,
        nofile: legacy.nofile,
        mark,
        ignored: legacy.ignored,
        umask: request.execution.as_ref().and_then(|e| e.umask).unwrap_or(0o022) & 0o777,
        extras,
    };
    spawn(&plan, &mut legacy.cradle).map_err(|failure| explain(failure, request, program, &entered))
}

/// The words for a step that failed.
fn explain(failure: Failure, request: &SpawnRequest, program: &str, entered: &[String]) -> SpawnFailure {
    let Failure { stage, index, error } = failure;
    let execution = request.execution.as_deref();
    let what = match stage {
        "chdir" => request.working_dir.clone(),
        "rlimit" => execution
            .and_then(|e| e.rlimits.iter().nth(index.checked_sub(1)?))
            .map_or_else(|| "nofile".to_owned(), |(resource, limit)| describe(*resource, *limit)),
        "cgroup" => entered.get(index).cloned().unwrap_or_default(),
        "user" => request.identity.as_ref().map_or_else(String::new, |id| {
            let doubt = if index == 1 { " is not what the kernel made of it" } else { "" };
            format!("uid {}, gid {}, groups {:?}{doubt}", id.uid, id.gid, id.groups)
        }),
        "nice" => execution.and_then(|e| e.nice).unwrap_or_default().to_string(),
        "oom_score_adj" => execution.and_then(|e| e.oom_score_adj).unwrap_or_default().to_string(),
        "cpu_affinity" => format!("{:?}", execution.map(|e| e.cpu_affinity.as_slice()).unwrap_or_default()),
        "exec" if lacks_interpreter(program, request, &error) => format!("{program}: its interpreter"),
        _ => program.to_owned(),
    };
    SpawnFailure::new(stage, &what, &error)
}

fn describe(resource: Resource, limit: Rlimit) -> String {
    let value = |value: Option<u64>| value.map_or_else(|| "unlimited".to_owned(), |value| value.to_string());
    format!("{} = {}:{}", resource.as_str(), value(limit.soft), value(limit.hard))
}

/// Whether the file is there, though the kernel says that there is none: it is
/// what shall run it that is missing (execve(2)).
fn lacks_interpreter(program: &str, request: &SpawnRequest, error: &io::Error) -> bool {
    let from = Path::new(&request.working_dir);
    let is_there = |path: &String| fs::metadata(from.join(path)).is_ok_and(|m| m.is_file());
    error.kind() == io::ErrorKind::NotFound && candidates(program, &request.env).iter().any(is_there)
}

/// The environment of the request, and what follows from sockets.
fn environment(request: &SpawnRequest, beside: &Beside<'_>) -> Vec<String> {
    let ours = |name: &str| match name {
        "LISTEN_FDS" | "LISTEN_FDNAMES" | "LISTEN_PID" => !beside.sockets.is_empty(),
        "NOTIFY_SOCKET" => beside.notify.is_some(),
        "WATCHDOG_PID" => beside.notify.is_some(),
        _ => false,
    };
    let kept = request.env.iter().filter(|(name, _)| !ours(name));
    let mut env: Vec<String> = kept.map(|(name, value)| format!("{name}={value}")).collect();
    if !beside.sockets.is_empty() {
        let names: Vec<&str> = beside.sockets.iter().map(|(_, name)| *name).collect();
        env.push(format!("LISTEN_FDS={}", names.len()));
        env.push(format!("LISTEN_FDNAMES={}", names.join(":")));
    }
    env.extend(beside.notify.map(|name| format!("NOTIFY_SOCKET={name}")));
    env
}

fn extras<'a>(
    request: &SpawnRequest,
    beside: Beside<'a>,
    legacy: &Legacy,
) -> Result<Option<Box<Extras<'a>>>, SpawnFailure> {
    let execution = request.execution.as_deref();
    let is_plain = execution.is_none_or(|execution| *execution == Execution::default())
        && beside.sockets.is_empty()
        && beside.notify.is_none()
        && beside.born_in.is_none()
        && beside.enters.is_empty();
    if is_plain && legacy.core.is_none() && !legacy.protected {
        return Ok(None);
    }
    let mut extras = Extras { born_in: beside.born_in, ..Extras::default() };
    if !beside.sockets.is_empty() {
        extras.pid_variables.push("LISTEN_PID");
    }
    if beside.notify.is_some() && request.env.iter().any(|(name, _)| name == "WATCHDOG_USEC") {
        extras.pid_variables.push("WATCHDOG_PID");
    }
    extras.sockets = beside.sockets.into_iter().map(|(socket, _)| socket).collect();
    extras.enters = beside.enters.into_iter().map(|(procs, _)| procs).collect();
    // A manager that is protected from a lack of memory does not protect its programs; one that stands in for others does.
    extras.oom_score_adj = legacy.protected.then(|| (c"0".to_owned(), false));
    if let Some(execution) = execution {
        extras.rlimits = execution.rlimits.iter().map(|(resource, limit)| rlimit(*resource, *limit)).collect();
        extras.nice = execution.nice.map(Into::into);
        extras.io_priority = execution.io_priority.map(io_priority);
        if let Some(score) = execution.oom_score_adj {
            let text = CString::new(score.to_string()).map_err(|e| SpawnFailure {
                stage: "oom_score_adj",
                message: e.to_string(),
                errno: None,
            })?;
            extras.oom_score_adj = Some((text, true));
        }
        extras.cpus = cpu_bits(&execution.cpu_affinity);
        extras.no_new_privs = execution.no_new_privs;
    }
    // No core files unless they are asked for: they hold secrets, and fill disks. The program may raise it up to the hard limit.
    if let Some(hard) = legacy.core
        && !execution.is_some_and(|execution| execution.rlimits.contains_key(&Resource::Core))
    {
        extras.rlimits.push((libc::RLIMIT_CORE, 0, hard));
    }
    Ok(Some(Box::new(extras)))
}

fn rlimit(resource: Resource, limit: Rlimit) -> (libc::__rlimit_resource_t, u64, u64) {
    let number = match resource {
        Resource::As => libc::RLIMIT_AS,
        Resource::Core => libc::RLIMIT_CORE,
        Resource::Cpu => libc::RLIMIT_CPU,
        Resource::Data => libc::RLIMIT_DATA,
        Resource::Fsize => libc::RLIMIT_FSIZE,
        Resource::Memlock => libc::RLIMIT_MEMLOCK,
        Resource::Msgqueue => libc::RLIMIT_MSGQUEUE,
        Resource::Nice => libc::RLIMIT_NICE,
        Resource::Nofile => libc::RLIMIT_NOFILE,
        Resource::Nproc => libc::RLIMIT_NPROC,
        Resource::Rtprio => libc::RLIMIT_RTPRIO,
        Resource::Sigpending => libc::RLIMIT_SIGPENDING,
        Resource::Stack => libc::RLIMIT_STACK,
    };
    (number, limit.soft.unwrap_or(libc::RLIM_INFINITY), limit.hard.unwrap_or(libc::RLIM_INFINITY))
}

/// The number of ioprio_set(2): class above bit 13, level below.
fn io_priority(priority: IoPriority) -> i32 {
    let class = match priority.class {
        IoClass::Realtime => 1,
        IoClass::BestEffort => 2,
        IoClass::Idle => 3,
    };
    class << 13 | i32::from(priority.level)
}

/// A bit for each CPU, as sched_setaffinity(2) takes them.
fn cpu_bits(cpus: &[u16]) -> Vec<u64> {
    let mut bits = vec![0_u64; cpus.iter().max().map_or(0, |last| usize::from(*last) / 64 + 1)];
    for cpu in cpus {
        if let Some(word) = bits.get_mut(usize::from(*cpu) / 64) {
            *word |= 1 << (cpu % 64);
        }
    }
    bits
}

/// Where a program may be: itself when it has a slash, else each directory of
/// the environment's `PATH` (execvp(3)), which is never the working directory
/// by way of an empty one. Tried in this order.
#[must_use]
pub fn candidates(program: &str, env: &[(String, String)]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.iter().find(|(key, _)| key == "PATH").map_or("/usr/local/bin:/usr/bin:/bin", |(_, v)| v.as_str());
    path.split(':').filter(|dir| !dir.is_empty()).map(|dir| format!("{dir}/{program}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cpus_are_bits_and_no_cpu_is_no_bit() {
        assert_eq!(cpu_bits(&[]), Vec::<u64>::new());
        assert_eq!(cpu_bits(&[0, 3, 65]), [0b1001, 0b10]);
    }

    #[test]
    fn an_io_priority_has_its_class_above_its_level() {
        assert_eq!(io_priority(IoPriority { class: IoClass::BestEffort, level: 7 }), 2 << 13 | 7);
    }

    #[test]
    fn a_program_with_a_slash_is_not_looked_for() {
        let env = [("PATH".to_owned(), "/a::/b".to_owned())];
        assert_eq!(candidates("x/y", &env), ["x/y"]);
        assert_eq!(candidates("y", &env), ["/a/y", "/b/y"]);
    }
}
