//! The connection to a keeper: made, greeted, read from and written to.

use crate::io::{leftovers, limits, orphans};
use runner_keeper::frame;
use runner_keeper::passing::{self, Sets};
use runner_keeper::protocol::{Event, Request, RunRecord, VERSION};
use rustix::io::Errno;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, Interest};
use tokio::net::UnixStream;

/// A keeper greets at once; one that starts hundreds of programs meanwhile
/// still does within seconds. One that does not hangs: say so, do not wait.
const WELCOME_PATIENCE: Duration = Duration::from_secs(15);

/// A process that was killed is gone within milliseconds; these are the
/// pauses between looks whether it is.
const END_PATIENCE: [Duration; 4] =
    [Duration::from_millis(20), Duration::from_millis(50), Duration::from_millis(100), Duration::from_millis(200)];

/// The socket, with what was read of it and not yet taken in.
#[derive(Debug)]
pub(super) struct Wire {
    stream: UnixStream,
    buffer: Vec<u8>,
    sets: Sets,
    /// What one read takes.
    chunk: Box<[u8]>,
    /// Which keeper it is: process id and start.
    pub(super) keeper: (u32, Option<u64>),
    /// Its version of the protocol.
    pub(super) version: u32,
    /// What it is built from; empty when it does not say.
    pub(super) build: String,
    /// How it holds trees together, and why not better.
    pub(super) containment: String,
    pub(super) containment_note: String,
}

/// Bytes of one read.
const CHUNK: usize = 16 * 1024;

/// Memory for what was read that is kept while nothing is there.
const IDLE: usize = 64 * 1024;

impl Wire {
    /// Connects to the keeper of `state_dir`, starting one when there is none.
    /// Returns what it holds.
    pub(super) async fn open(state_dir: &Path) -> io::Result<(Self, Vec<RunRecord>)> {
        for pause in END_PATIENCE {
            match Self::join(state_dir).await {
                Err(e) if is_nobody(&e) => {}
                joined => return joined,
            }
            match start(state_dir).await {
                Ok(()) => return Self::join(state_dir).await,
                // The one before holds its lock for a little longer than its socket.
                Err(_) if runner_keeper::keeper_lives(state_dir) => tokio::time::sleep(pause).await,
                Err(e) => return Err(e),
            }
        }
        start(state_dir).await?;
        Self::join(state_dir).await
    }

    /// The same, but only to a keeper that is there.
    pub(super) async fn join(state_dir: &Path) -> io::Result<(Self, Vec<RunRecord>)> {
        for pause in END_PATIENCE {
            match Self::join_within(state_dir, WELCOME_PATIENCE).await {
                // It ended after it let us in: the next try finds nobody, or another one.
                Err(e) if is_hang_up(&e) => tokio::time::sleep(pause).await,
                joined => return joined,
            }
        }
        Self::join_within(state_dir, WELCOME_PATIENCE).await
    }

    async fn join_within(state_dir: &Path, patience: Duration) -> io::Result<(Self, Vec<RunRecord>)> {
        let stream = dial(state_dir).await?;
        tokio::time::timeout(patience, Self::greet(stream)).await.unwrap_or_else(|_| {
            let words = format!("the keeper does not answer within {} s", patience.as_secs());
            Err(io::Error::new(io::ErrorKind::TimedOut, words))
        })
    }

    async fn greet(mut stream: UnixStream) -> io::Result<(Self, Vec<RunRecord>)> {
        let mut bytes = Vec::new();
        frame::encode(&Request::Hello { version: VERSION }, &mut bytes).map_err(io::Error::other)?;
        stream.write_all(&bytes).await?;
        let mut wire = Self {
            stream,
            buffer: Vec::new(),
            sets: Sets::default(),
            chunk: vec![0; CHUNK].into(),
            keeper: (0, None),
            version: 0,
            build: String::new(),
            containment: String::new(),
            containment_note: String::new(),
        };
        match wire.next().await? {
            Some((Event::Welcome { version, pid, runs, build, containment, containment_note }, _)) => {
                tracing::debug!(version, pid, build, runs = runs.len(), "keeper connected");
                wire.keeper = (pid, leftovers::start_of(pid));
                (wire.version, wire.build) = (version, build);
                (wire.containment, wire.containment_note) = (containment, containment_note);
                Ok((wire, runs))
            }
            Some((other, _)) => Err(io::Error::other(format!("the keeper did not greet: {other:?}"))),
            None => Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the keeper hung up")),
        }
    }

    /// Its greeting, without the runs.
    pub(super) fn greeting(&self) -> Event {
        Event::Welcome {
            version: self.version,
            pid: self.keeper.0,
            runs: Vec::new(),
            build: self.build.clone(),
            containment: self.containment.clone(),
            containment_note: self.containment_note.clone(),
        }
    }

    /// Where the keeper finds the program that we are. By our process, so that
    /// it is this one even when its file was replaced meanwhile; by its path
    /// when the keeper numbers processes otherwise.
    pub(super) fn own_program(&self) -> io::Result<String> {
        let peer = self.stream.peer_cred()?.pid().and_then(|pid| u32::try_from(pid).ok());
        if peer == Some(self.keeper.0) {
            return Ok(format!("/proc/{}/exe", std::process::id()));
        }
        Ok(std::env::current_exe()?.to_string_lossy().into_owned())
    }

    /// The next event and its descriptors; `None` at the end. Nothing is lost
    /// when the future is dropped.
    pub(super) async fn next(&mut self) -> io::Result<Option<(Event, Vec<OwnedFd>)>> {
        loop {
            if let Some(event) = frame::decode_with(&mut self.buffer, &mut self.sets).map_err(io::Error::other)? {
                return Ok(Some(event));
            }
            if self.buffer.is_empty() {
                self.buffer.shrink_to(IDLE);
            }
            let (stream, chunk, sets) = (&self.stream, &mut self.chunk, &mut self.sets);
            let n = stream.async_io(Interest::READABLE, || passing::receive(stream, chunk, sets)).await?;
            if n == 0 {
                return Ok(None);
            }
            self.buffer.extend_from_slice(self.chunk.get(..n).unwrap_or_default());
        }
    }

    /// Writes all of `bytes`, with `descriptors` at the first of them; returns
    /// how many the kernel took, and the error that kept it from taking the
    /// rest.
    pub(super) async fn write(&mut self, bytes: &[u8], descriptors: &[BorrowedFd<'_>]) -> (usize, io::Result<()>) {
        let mut taken = 0;
        while let Some(rest) = bytes.get(taken..).filter(|rest| !rest.is_empty()) {
            let set = if taken == 0 { descriptors } else { &[] };
            let stream = &self.stream;
            match stream.async_io(Interest::WRITABLE, || passing::send(stream, rest, set)).await {
                Ok(0) => return (taken, Err(io::ErrorKind::WriteZero.into())),
                Ok(n) => taken += n,
                Err(e) => return (taken, Err(e)),
            }
        }
        (taken, Ok(()))
    }
}

/// Whether an error of [`Wire::join`] says that no keeper is there.
pub(super) fn is_nobody(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused)
}

fn is_hang_up(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionReset | UnexpectedEof)
}

/// Starts a keeper; returns once it listens.
async fn start(state_dir: &Path) -> io::Result<()> {
    let dir = state_dir.to_owned();
    tokio::task::spawn_blocking(move || {
        let mut child = orphans::start_own(|| match limits::inherited(|| runner_keeper::spawn_keeper(&dir)) {
            // We hold more than programs may: rather a keeper with our limit than none.
            Err(e) if e.raw_os_error() == Some(Errno::MFILE.raw_os_error()) => {
                tracing::warn!("too many open files to start the keeper with the inherited limit; programs get ours");
                runner_keeper::spawn_keeper(&dir)
            }
            started => started,
        })?;
        tracing::info!(pid = child.id(), "keeper started");
        // Somebody has to collect it if it ends before we do.
        std::thread::Builder::new().name("keeper-reaper".into()).stack_size(64 * 1024).spawn(move || {
            let _ = child.wait();
            orphans::own_ended(child.id());
        })?;
        Ok(())
    })
    .await?
}

/// Connects through a descriptor of the directory: `sun_path` holds 107 bytes
/// (unix(7)), a state directory may be longer.
async fn dial(state_dir: &Path) -> io::Result<UnixStream> {
    use std::os::fd::AsRawFd;
    let socket = runner_keeper::socket_path(state_dir);
    let name = socket.file_name().unwrap_or_default().to_owned();
    let dir = std::fs::File::open(state_dir)?;
    UnixStream::connect(PathBuf::from(format!("/proc/self/fd/{}", dir.as_raw_fd())).join(name)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_keeper_that_ends_after_it_let_us_in_is_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let socket = runner_keeper::socket_path(dir.path());
        let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let ending = std::thread::spawn(move || {
            drop(listener.accept().unwrap());
            drop(listener);
        });
        let error = Wire::join(dir.path()).await.unwrap_err();
        ending.join().unwrap();
        assert!(is_nobody(&error), "{error}");
    }

    #[tokio::test]
    async fn a_keeper_that_does_not_greet_is_an_error_and_no_wait_for_ever() {
        let dir = tempfile::tempdir().unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(runner_keeper::socket_path(dir.path())).unwrap();
        let error = Wire::join_within(dir.path(), Duration::from_millis(50)).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut, "{error}");
    }
}
