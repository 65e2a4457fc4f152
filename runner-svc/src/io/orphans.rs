//! Orphans of a lost keeper. This process asks to become their parent
//! (PR_SET_CHILD_SUBREAPER), for two reasons: what a keeper leaves can then be
//! found whatever it did to its session and its environment, and somebody
//! collects it once it has ended.
//!
//! Main processes among them go on under another keeper, which is not their
//! parent: how they end is told to who asked for [`endings`].
//!
//! Children that are somebody else's are left alone. A keeper begins a session
//! of its own, and nobody can join another session (setsid(2)): whoever is in
//! ours was started by this process and is waited for by who started it. The
//! keepers that we started are noted in [`OWN`].

use super::leftovers::MainProcess;
use process_model::ExitStatus;
use rustix::process::{Pid, WaitOptions, WaitStatus, getpid, waitpid};
use std::collections::BTreeSet;
use std::io;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError, TryLockError};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

/// Children of ours that somebody waits for, though they left our session.
static OWN: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// Who wants to know how orphans end: one for each runner of this process.
static LISTENERS: Mutex<Vec<mpsc::UnboundedSender<Ended>>> = Mutex::new(Vec::new());

/// An orphan ended, and was collected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) process: MainProcess,
    pub(crate) status: ExitStatus,
}

/// How orphans end from now on. Unbounded: an ending is a few words, and there
/// is one for each process.
pub(crate) fn endings() -> mpsc::UnboundedReceiver<Ended> {
    let (listener, endings) = mpsc::unbounded_channel();
    LISTENERS.lock().unwrap_or_else(PoisonError::into_inner).push(listener);
    endings
}

/// Asks for the orphans, once for each process, and collects them when they
/// end. Without it, or on a kernel that does not list children, what a keeper
/// leaves goes to init as everywhere.
pub(crate) fn adopt() {
    static ASKED: AtomicBool = AtomicBool::new(false);
    if ASKED.swap(true, Ordering::SeqCst) {
        return;
    }
    let mut ended = match children().and_then(|_| signal(SignalKind::child())) {
        Ok(ended) => ended,
        Err(e) => return tracing::debug!(error = %e, "orphans are left to init"),
    };
    if let Err(e) = nix::sys::prctl::set_child_subreaper(true) {
        return tracing::debug!(error = %e, "orphans are left to init");
    }
    tokio::spawn(async move {
        while ended.recv().await.is_some() {
            reap();
        }
        // The runtime ends; a later one of this process asks anew.
        ASKED.store(false, Ordering::SeqCst);
    });
}

/// Starts a child that leaves our session and that the caller waits for.
pub(crate) fn start_own(start: impl FnOnce() -> io::Result<Child>) -> io::Result<Child> {
    // Held while it starts: until its number is noted, nobody may take it for an orphan.
    let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    let started = start().inspect(|child| {
        own.insert(child.id());
    });
    drop(own);
    reap();
    started
}

/// The caller has collected a child of [`start_own`].
pub(crate) fn own_ended(pid: u32) {
    OWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    // Its number may have become an orphan's meanwhile.
    reap();
}

/// The living orphans that came to us from keepers that are gone.
pub(crate) fn adopted() -> BTreeSet<i32> {
    // As the first process of a container we get everybody's orphans, not only a keeper's.
    if getpid().is_init() {
        return BTreeSet::new();
    }
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    foreign(&own).filter(|orphan| !orphan.ended).map(|orphan| orphan.pid.as_raw_pid()).collect()
}

/// Collects the orphans that have ended.
fn reap() {
    let own = match OWN.try_lock() {
        Ok(own) => own,
        Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
        // A keeper is being started; whoever does that comes here afterwards.
        Err(TryLockError::WouldBlock) => return,
    };
    for orphan in foreign(&own).filter(|orphan| orphan.ended) {
        if let Ok(Some((_, status))) = waitpid(Some(orphan.pid), WaitOptions::NOHANG) {
            tell(&orphan, status);
        }
    }
}

fn tell(orphan: &Orphan, status: WaitStatus) {
    let pid = orphan.pid.as_raw_pid().unsigned_abs();
    let process = MainProcess { pid, start_time: orphan.start_time };
    let status = match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => ExitStatus::Code(code),
        (None, Some(signal)) => ExitStatus::Signal(signal),
        (None, None) => return,
    };
    let mut listeners = LISTENERS.lock().unwrap_or_else(PoisonError::into_inner);
    listeners.retain(|listener| listener.send(Ended { process, status: status.clone() }).is_ok());
}

/// A child of ours from another session.
struct Orphan {
    pid: Pid,
    start_time: u64,
    ended: bool,
}

/// Our children from other sessions.
fn foreign(own: &BTreeSet<u32>) -> impl Iterator<Item = Orphan> {
    let session = own_session();
    let children = children().unwrap_or_default().into_iter().filter(|pid| !own.contains(&pid.unsigned_abs()));
    children.filter_map(move |pid| {
        let stat = procfs::process::Process::new(pid).ok()?.stat().ok()?;
        let pid = Pid::from_raw(pid)?;
        // A main thread that ended before the others is no end of the process.
        let ended = stat.state == 'Z' && stat.num_threads <= 1;
        (stat.session != session).then_some(Orphan { pid, start_time: stat.starttime, ended })
    })
}

/// The number of our session, as in everybody's /proc/PID/stat: 0 when it was
/// begun outside of our PID namespace (a container). `rustix` has no number for
/// that one, `nix` has.
pub(crate) fn own_session() -> i32 {
    nix::unistd::getsid(None).map_or(0, nix::unistd::Pid::as_raw)
}

/// The children of all our threads.
fn children() -> io::Result<Vec<i32>> {
    let mut children = Vec::new();
    for thread in std::fs::read_dir("/proc/self/task")? {
        match std::fs::read_to_string(thread?.path().join("children")) {
            Ok(text) => children.extend(text.split_ascii_whitespace().filter_map(|word| word.parse::<i32>().ok())),
            // A thread that has just ended: its children belong to another one now.
            Err(e) if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => {}
            Err(e) => return Err(e),
        }
    }
    Ok(children)
}
