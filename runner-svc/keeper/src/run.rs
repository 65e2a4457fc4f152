//! One run: a program's main process, its outputs, and how it ended.

use crate::orphans::Candidate;
use crate::output::{Drained, Output};
use crate::protocol::{Ending, Event, RunRecord, SpawnRequest};
use crate::{log_file::LogFile, sys};
use std::ffi::CString;
use std::fs::File;
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) instance: String,
    pub(crate) pid: u32,
    pub(crate) pidfd: OwnedFd,
    /// Start of the main process in clock ticks since boot: with boot id and
    /// pid its identity.
    pub(crate) start_time: u64,
    started_at: i64,
    started: Instant,
    ended: Option<Instant>,
    pub(crate) ending: Option<Ending>,
    /// SIGKILL was sent to the tree: nobody of it may live.
    pub(crate) condemned: bool,
    /// Standard output, then standard error unless it is merged; `None` once
    /// closed.
    pub(crate) outputs: [Option<Output>; 2],
}

/// Why a run could not be started.
#[derive(Debug)]
pub(crate) struct SpawnFailure {
    pub(crate) stage: &'static str,
    pub(crate) message: String,
}

impl SpawnFailure {
    fn new(stage: &'static str, what: &str, error: &std::io::Error) -> Self {
        Self { stage, message: format!("{what}: {error}") }
    }
}

/// Nanoseconds since 1970, for records.
pub(crate) fn wall_nanos() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

impl Run {
    /// Starts the program of `request`; `nofile` is the open-file limit that
    /// it gets, `mark` what everybody of its tree is known by.
    pub(crate) fn spawn(
        request: &SpawnRequest,
        null: &File,
        nofile: (u64, u64),
        mark: Option<u64>,
    ) -> Result<Self, SpawnFailure> {
        let program = request.argv.first().map_or("", String::as_str);
        let strings = |items: &mut dyn Iterator<Item = String>| -> Result<Vec<CString>, SpawnFailure> {
            items
                .map(|s| {
                    CString::new(s).map_err(|e| SpawnFailure { stage: "exec", message: format!("{program}: {e}") })
                })
                .collect()
        };
        let (stdout, stdout_write) = output(&request.stdout)?;
        let (stderr, stderr_write) = if request.stderr == request.stdout {
            let write = stdout_write.try_clone().map_err(|e| SpawnFailure::new("pipe", &request.stderr, &e))?;
            (None, write)
        } else {
            let (output, write) = output(&request.stderr)?;
            (Some(output), write)
        };
        let plan = sys::spawn::Plan {
            candidates: strings(&mut candidates(program, &request.env).into_iter())?,
            argv: strings(&mut request.argv.iter().cloned())?,
            env: strings(&mut request.env.iter().map(|(key, value)| format!("{key}={value}")))?,
            working_dir: strings(&mut std::iter::once(request.working_dir.clone()))?.pop().unwrap_or_default(),
            identity: request.identity.as_ref(),
            stdin: null.as_fd(),
            stdout: stdout_write.as_fd(),
            stderr: stderr_write.as_fd(),
            nofile,
            mark,
        };
        let child = sys::spawn::spawn(&plan).map_err(|failure| {
            let what = match failure.stage {
                "chdir" => request.working_dir.as_str(),
                _ => program,
            };
            SpawnFailure::new(failure.stage, what, &failure.error)
        })?;
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
            outputs: [Some(stdout), stderr],
        })
    }

    /// Takes in that the main process ended.
    pub(crate) fn end(&mut self, ending: Ending) {
        self.ended = Some(Instant::now());
        self.ending = Some(ending);
    }

    /// Writes out what is in the pipes now; a closed one is dropped.
    pub(crate) fn drain(&mut self, buffer: &mut [u8]) {
        for output in &mut self.outputs {
            if let Some(output) = output {
                output.look_again();
            }
            // A pipe holds 64 KiB: a few rounds empty it even while somebody else goes on writing.
            for _ in 0..16 {
                match output.as_mut().map(|o| o.pump(buffer)) {
                    Some(Drained::More) => {}
                    Some(Drained::Closed) => *output = None,
                    Some(Drained::Empty) | None => break,
                }
            }
        }
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
        }
    }
}

/// Opens a log file and a pipe to it.
fn output(path: &str) -> Result<(Output, OwnedFd), SpawnFailure> {
    let file = LogFile::open(Path::new(path)).map_err(|e| SpawnFailure::new("log", path, &e))?;
    let (read, write) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)
        .map_err(|e| SpawnFailure::new("pipe", path, &e.into()))?;
    // Only our end: the program gets a pipe that blocks, as it expects.
    rustix::io::ioctl_fionbio(&read, true).map_err(|e| SpawnFailure::new("pipe", path, &e.into()))?;
    Ok((Output::new(read, file), write))
}

/// Where a program may be: itself when it has a slash, else each directory of
/// the environment's `PATH` (execvp(3)).
fn candidates(program: &str, env: &[(String, String)]) -> Vec<String> {
    if program.contains('/') {
        return vec![program.to_owned()];
    }
    let path = env.iter().find(|(key, _)| key == "PATH").map_or("/usr/local/bin:/usr/bin:/bin", |(_, v)| v.as_str());
    path.split(':').filter(|dir| !dir.is_empty()).map(|dir| format!("{dir}/{program}")).collect()
}
