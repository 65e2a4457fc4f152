//! How a keeper comes to life: the same binary, run again with a first
//! argument that only we use, before any runtime and any thread.

use crate::diary::say;
use crate::keeper::Keeper;
use crate::mark::Marks;
use crate::{resume, sys};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigSet, SigmaskHow, Signal, sigprocmask};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use std::ffi::OsString;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The first argument of a keeper.
const ARGUMENT: &str = "__pm-keeper";

/// What a keeper prints once its socket is there.
const READY: &str = "ready";

/// Where a keeper of this state directory listens.
#[must_use]
pub fn socket_path(state_dir: &Path) -> PathBuf {
    state_dir.join("keeper.sock")
}

/// Starts a keeper for `state_dir` and waits until it listens.
///
/// # Errors
/// It could not be started, or ended before it listened; its last words are in
/// `keeper.log` of the directory and in the error.
pub fn spawn_keeper(state_dir: &Path) -> io::Result<Child> {
    let log = OpenOptions::new().append(true).create(true).mode(0o600).open(state_dir.join("keeper.log"))?;
    let mut child = Command::new("/proc/self/exe")
        .arg0("pm-keeper")
        .arg(ARGUMENT)
        .arg(state_dir)
        .current_dir("/")
        // Should the starter be a keeper's descendant: this one begins anew.
        .env_remove(resume::VARIABLES[0])
        .env_remove(resume::VARIABLES[1])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(log)
        .spawn()?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.trim() == READY {
        return Ok(child);
    }
    let status = child.wait()?;
    let words = std::fs::read_to_string(state_dir.join("keeper.log")).unwrap_or_default();
    let last = words.lines().last().unwrap_or_default();
    Err(io::Error::other(format!("the keeper ended with {status}: {last}")))
}

fn lock_path(state_dir: &Path) -> PathBuf {
    state_dir.join("keeper.lock")
}

/// Whether a keeper serves this state directory: it holds a lock there for as
/// long as it lives.
#[must_use]
pub fn keeper_lives(state_dir: &Path) -> bool {
    File::open(lock_path(state_dir)).is_ok_and(|file| matches!(file.try_lock(), Err(TryLockError::WouldBlock)))
}

/// Blocks until no keeper serves this state directory.
///
/// # Errors
/// The lock cannot be waited for.
pub fn wait_until_gone(state_dir: &Path) -> io::Result<()> {
    match File::open(lock_path(state_dir)) {
        Ok(file) => file.lock(),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(e),
    }
}

/// Becomes a keeper, and never returns, if this process was started as one.
/// The first thing that every `main` which can host a runner has to call.
pub fn main_if_asked() {
    sys::malloc::share_one_arena();
    let mut arguments = std::env::args_os().skip(1);
    if arguments.next().is_none_or(|first| first != ARGUMENT) {
        return;
    }
    let Some(state_dir) = arguments.next() else {
        say!("needs its state directory");
        std::process::exit(2);
    };
    let code = match serve(Path::new(&state_dir)) {
        Ok(()) => 0,
        Err(e) => {
            say!("{e}");
            1
        }
    };
    std::process::exit(code);
}

/// How a keeper is called, for the program that it may become.
pub(crate) fn arguments() -> impl Iterator<Item = OsString> {
    std::env::args_os()
}

fn serve(state_dir: &Path) -> io::Result<()> {
    let socket = socket_path(state_dir);
    let mut keeper = match resume::resumed()? {
        Some(before) => Keeper::resume(before.image, before.refused)?,
        None => begin(state_dir, &socket)?,
    };
    keeper.serve()?;
    // The lock goes last, with the keeper.
    std::fs::remove_file(&socket)
}

fn begin(state_dir: &Path, socket: &Path) -> io::Result<Keeper> {
    // Whatever the starter had open and did not mean to hand over: a keeper lives long, and with it a port or a pipe.
    sys::descriptors::close_inherited();
    // A session of its own: no terminal's signal reaches it.
    rustix::process::setsid()?;
    nix::sys::prctl::set_child_subreaper(true)?;
    let lock = lock(state_dir)?;
    let signals = signals()?;
    let nofile = raise_open_files()?;
    match std::fs::remove_file(socket) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => {}
        Err(e) => return Err(e),
    }
    let listener = bind(socket)?;
    let keeper = Keeper::new(listener, signals, nofile, lock)?;
    announce()?;
    Ok(keeper)
}

/// One keeper for each state directory.
fn lock(state_dir: &Path) -> io::Result<File> {
    let path = lock_path(state_dir);
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    file.try_lock().map_err(|e| io::Error::other(format!("another keeper serves {}: {e}", state_dir.display())))?;
    Ok(file)
}

/// Children's ends are read from a descriptor; whatever would end a keeper by
/// accident is blocked. It ends when it is told to, or by SIGKILL.
pub(crate) fn signals() -> io::Result<SignalFd> {
    let mut blocked = SigSet::empty();
    for signal in [
        Signal::SIGCHLD,
        Signal::SIGHUP,
        Signal::SIGINT,
        Signal::SIGTERM,
        Signal::SIGQUIT,
        Signal::SIGPIPE,
        Signal::SIGUSR1,
        Signal::SIGUSR2,
        // Beyond the largest file: an error of the write, then.
        Signal::SIGXFSZ,
    ] {
        blocked.add(signal);
    }
    sigprocmask(SigmaskHow::SIG_BLOCK, Some(&blocked), None)?;
    let mut children = SigSet::empty();
    children.add(Signal::SIGCHLD);
    Ok(SignalFd::with_flags(&children, SfdFlags::SFD_NONBLOCK | SfdFlags::SFD_CLOEXEC)?)
}

/// A handful of descriptors for each run: takes what the system allows, and
/// returns what programs are to get back.
fn raise_open_files() -> io::Result<(u64, u64)> {
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE)?;
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard)?;
    Ok((soft, hard))
}

/// Binds with a short relative name: `sun_path` holds 107 bytes (unix(7)), a
/// state directory may be longer.
fn bind(socket: &Path) -> io::Result<UnixListener> {
    let (Some(dir), Some(name)) = (socket.parent(), socket.file_name()) else {
        return Err(io::Error::other("the socket has no directory"));
    };
    std::env::set_current_dir(dir)?;
    let listener = UnixListener::bind(name)?;
    std::fs::set_permissions(socket, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    std::env::set_current_dir("/")?;
    Ok(listener)
}

/// Says that the socket is there, and lets go of the starter's pipe.
fn announce() -> io::Result<()> {
    let mut stdout = io::stdout();
    writeln!(stdout, "{READY}")?;
    stdout.flush()?;
    let null = OpenOptions::new().write(true).open("/dev/null")?;
    rustix::stdio::dup2_stdout(&null)?;
    Ok(())
}

/// Reads which run of a state directory's keepers a process is of.
#[derive(Debug, Clone, Copy)]
pub struct RunMarks(Marks);

impl RunMarks {
    /// Of all keepers that served this state directory, and the one that does.
    ///
    /// # Errors
    /// There never was one.
    pub fn of(state_dir: &Path) -> io::Result<Self> {
        Ok(Self(Marks::of(&File::open(lock_path(state_dir))?)?))
    }

    /// The run of a process; `None` when it is of none, or its mark was refused.
    #[must_use]
    pub fn run_of(&self, pid: u32) -> Option<u64> {
        self.0.run_of(pid)
    }
}
