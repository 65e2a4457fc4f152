//! One run: a program's main process, its outputs, and how it ended.

use crate::held::Held;
use crate::launch::{Beside, Legacy, SpawnFailure, launch};
use crate::log::{Desk, Outlet, Wire};
use crate::orphans::Candidate;
use crate::protocol::{Ending, Event, RunRecord, SpawnRequest};
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) instance: String,
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    /// Start of the main process in clock ticks since boot: with boot id and
    /// pid its identity.
    pub(crate) start_time: u64,
    pub(crate) started_at: i64,
    pub(crate) started: Instant,
    pub(crate) ended: Option<Instant>,
    pub(crate) ending: Option<Ending>,
    /// SIGKILL was sent to the tree: nobody of it may live.
    pub(crate) condemned: bool,
    /// Because the lease of its instance was over.
    pub(crate) fenced: bool,
    /// Standard output, then standard error unless it is merged.
    pub(crate) outputs: [Option<Outlet>; 2],
    /// What is held for it beside.
    pub(crate) held: Held,
}

/// Where the output of a run is to go.
pub(crate) struct Logs<'a> {
    pub(crate) desk: &'a mut Desk,
    /// A run of the same instance has these files open.
    pub(crate) known: bool,
}

/// Nanoseconds since 1970, for records.
pub(crate) fn wall_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Run {
    /// Starts the program of `request` with what it gets `beside`; `mark` is what
    /// everybody of its tree is known by.
    pub(crate) fn spawn(
        request: &SpawnRequest,
        null: &File,
        beside: Beside<'_>,
        legacy: &mut Legacy,
        mark: Option<u64>,
        logs: Logs<'_>,
    ) -> Result<Self, SpawnFailure> {
        let is_merged = is_merged(request);
        let (stdout, stdout_write) = output(&request.stdout)?;
        let (stderr, stderr_write) = if is_merged {
            let write = stdout_write.try_clone().map_err(|e| SpawnFailure::new("pipe", &request.stderr, &e))?;
            (None, write)
        } else {
            let (output, write) = output(&request.stderr)?;
            (Some(output), write)
        };
        let mut outputs = [Some(stdout), stderr];
        let opened = logs.desk.open_outputs(request.run, &outputs, logs.known);
        opened.map_err(|e| SpawnFailure::new("log", &request.stdout, &e))?;
        let stdio = [null.as_fd(), stdout_write.as_fd(), stderr_write.as_fd()];
        let child = launch(request, stdio, beside, legacy, mark)?;
        let names = [if is_merged { "output" } else { "stdout" }, "stderr"];
        for (index, (outlet, name)) in outputs.iter_mut().zip(names).enumerate() {
            if let Some(outlet) = outlet {
                logs.desk.begin(request, index, outlet, name, child.pid);
            }
        }
        Ok(Self {
            instance: request.instance.clone(),
            pid: child.pid,
            pidfd: child.pidfd,
            start_time: crate::tree::start_time(child.pid).unwrap_or_default(),
            started_at: wall_nanos(),
            started: Instant::now(),
            ended: None,
            ending: None,
            condemned: false,
            fenced: false,
            outputs,
            held: Held::default(),
        })
    }

    /// Takes in that the main process ended.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ended = Some(Instant::now());
        self.ending = Some(ending);
    }

    pub(crate) fn is_over(&self) -> bool {
        self.ending.as_ref().is_some_and(|ending| ending.tree_empty)
    }

    pub(crate) fn candidate(&self, run: u64) -> Candidate<'_> {
        Candidate { run, main: self.pid, start_time: self.start_time, instance: &self.instance }
    }

    pub(crate) fn spawned(&self, run: u64) -> Event {
        Event::Spawned { run, pid: self.pid, start_time: self.start_time, started_at: self.started_at }
    }

    pub(crate) fn record(&self, run: u64) -> RunRecord {
        let age = self.ended.unwrap_or_else(Instant::now).duration_since(self.started);
        RunRecord {
            run,
            instance: self.instance.clone(),
            pid: self.pid,
            start_time: self.start_time,
            started_at: self.started_at,
            age: u64::try_from(age.as_nanos()).unwrap_or(u64::MAX),
            ending: self.ending.clone(),
            notified: self.held.notify.as_ref().map(|notify| notify.lasting()).unwrap_or_default(),
            is_task: self.held.is_task,
            containment: self.held.containment().to_owned(),
            fence: None,
            fenced: self.fenced,
            outputs: self
                .outputs
                .iter()
                .flatten()
                .filter(|output| output.is_open())
                .map(|output| output.path.to_string_lossy().into_owned())
                .collect(),
        }
    }
}

/// Whether both outputs go to one file.
pub(crate) fn is_merged(request: &SpawnRequest) -> bool {
    request.stderr == request.stdout || request.logs.as_ref().is_some_and(|logs| logs.merge)
}

/// A pipe to a log file.
fn output(path: &str) -> Result<(Outlet, OwnedFd), SpawnFailure> {
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|e| SpawnFailure::new("pipe", path, &e.into()))?;
    // Only our end: the program gets a pipe that blocks, as it expects.
    rustix::io::ioctl_fionbio(&read, true).map_err(|e| SpawnFailure::new("pipe", path, &e.into()))?;
    Ok((Outlet::new(Wire::new(read), path.into()), write))
}
