//! The socket to the keeper: requests out, events to the task whose run they
//! are about. When the keeper is gone, a new one is started and every run of
//! the old one is told to be lost.

use crate::clock;
use process_model::Timestamp;
use runner_domain::{Input, RunId, SpawnError};
use runner_keeper::frame;
use runner_keeper::protocol::{Ending, Event, Request, RunRecord, VERSION};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;
use tokio::sync::{mpsc, watch};

use super::leftovers::MainProcess;

/// What the keeper says, for the instance that it is about.
#[derive(Debug)]
pub(crate) enum KeeperNews {
    /// An input for the machine; boxed, because a channel keeps room for 32.
    Input(Box<Input>),
    /// The main process of a run, with its identity.
    Main(MainProcess),
    /// The keeper is gone, and the run with it.
    Lost(RunId),
}

type Routes = Arc<Mutex<BTreeMap<u64, mpsc::UnboundedSender<KeeperNews>>>>;

/// Cheap handle.
#[derive(Debug, Clone)]
pub(crate) struct KeeperLink {
    requests: mpsc::UnboundedSender<Request>,
    routes: Routes,
    /// True once the keeper has ended because it was told to.
    ended: watch::Receiver<bool>,
}

/// The socket, with what was read of it and not yet taken in.
struct Wire {
    stream: UnixStream,
    buffer: Vec<u8>,
}

impl Wire {
    /// The next event; `None` at the end. Nothing is lost when the future is
    /// dropped.
    async fn next(&mut self) -> io::Result<Option<Event>> {
        loop {
            if let Some(event) = frame::decode(&mut self.buffer).map_err(io::Error::other)? {
                return Ok(Some(event));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Ok(None);
            }
        }
    }
}

impl KeeperLink {
    /// Connects to the keeper of `state_dir`, starting one when there is none.
    /// Returns what it holds.
    pub(crate) async fn open(state_dir: &Path) -> io::Result<(Self, Vec<RunRecord>)> {
        let (wire, records) = connect(state_dir).await?;
        // Unbounded: the producers are instance tasks, each with at most a few requests outstanding.
        let (requests, outbox) = mpsc::unbounded_channel();
        let routes = Routes::default();
        let (ended_tx, ended) = watch::channel(false);
        tokio::spawn(run(state_dir.to_owned(), wire, outbox, routes.clone(), ended_tx));
        Ok((Self { requests, routes, ended }, records))
    }

    /// From now on, news of `run` go to `inbox`.
    pub(crate) fn route(&self, run: RunId, inbox: mpsc::UnboundedSender<KeeperNews>) {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner).insert(run.0, inbox);
    }

    /// Queues a request. It is lost only with the keeper itself, which the
    /// instance is told.
    pub(crate) fn send(&self, request: Request) {
        if let Request::Forget { run } = &request {
            self.routes.lock().unwrap_or_else(PoisonError::into_inner).remove(run);
        }
        let _ = self.requests.send(request);
    }

    /// Tells the keeper to end, and waits until it has. It stays when
    /// something of a run is still alive.
    pub(crate) async fn shutdown(&mut self, patience: Duration) -> bool {
        self.send(Request::Shutdown);
        matches!(tokio::time::timeout(patience, self.ended.wait_for(|ended| *ended)).await, Ok(Ok(_)))
    }
}

async fn connect(state_dir: &Path) -> io::Result<(Wire, Vec<RunRecord>)> {
    let mut stream = match dial(state_dir).await {
        Ok(stream) => stream,
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            let dir = state_dir.to_owned();
            let mut child = tokio::task::spawn_blocking(move || runner_keeper::spawn_keeper(&dir)).await??;
            tracing::info!(pid = child.id(), "keeper started");
            // Somebody has to collect it if it ends before we do.
            std::thread::Builder::new()
                .name("keeper-reaper".into())
                .stack_size(64 * 1024)
                .spawn(move || child.wait())?;
            dial(state_dir).await?
        }
        Err(e) => return Err(e),
    };
    let mut bytes = Vec::new();
    frame::encode(&Request::Hello { version: VERSION }, &mut bytes).map_err(io::Error::other)?;
    stream.write_all(&bytes).await?;
    let mut wire = Wire { stream, buffer: Vec::new() };
    match wire.next().await? {
        Some(Event::Welcome { version, pid, runs }) => {
            tracing::debug!(version, pid, runs = runs.len(), "keeper connected");
            Ok((wire, runs))
        }
        other => Err(io::Error::other(format!("the keeper did not greet: {other:?}"))),
    }
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

/// Owns the stream for as long as the runner lives.
async fn run(
    state_dir: PathBuf,
    mut wire: Wire,
    mut outbox: mpsc::UnboundedReceiver<Request>,
    routes: Routes,
    ended: watch::Sender<bool>,
) {
    let mut delay = Duration::from_millis(100);
    loop {
        let shutting_down = match converse(&mut wire, &mut outbox, &routes).await {
            Ok(shutting_down) => shutting_down,
            Err(e) => {
                tracing::error!(error = %e, "keeper connection broke");
                false
            }
        };
        if shutting_down || outbox.is_closed() {
            // The socket closes before the process is gone; whoever waits wants it gone.
            let _ = tokio::task::spawn_blocking(move || runner_keeper::wait_until_gone(&state_dir)).await;
            let _ = ended.send(true);
            return;
        }
        wire = loop {
            match connect(&state_dir).await {
                Ok((fresh, records)) => {
                    catch_up(&routes, &records);
                    break fresh;
                }
                Err(e) => {
                    tracing::error!(error = %e, "cannot reach a keeper; trying again");
                    tokio::time::sleep(delay.mul_f64(0.5 + clock::roll())).await;
                    delay = (delay * 2).min(Duration::from_secs(5));
                }
            }
        };
        delay = Duration::from_millis(100);
    }
}

/// Until the stream ends; true when that was asked for.
async fn converse(wire: &mut Wire, outbox: &mut mpsc::UnboundedReceiver<Request>, routes: &Routes) -> io::Result<bool> {
    let mut bytes = Vec::new();
    let mut shutting_down = false;
    loop {
        tokio::select! {
            event = wire.next() => match event? {
                Some(Event::ShutdownRefused { alive }) => {
                    tracing::warn!(alive, "the keeper stays: something is still alive");
                    shutting_down = false;
                }
                Some(event) => dispatch(event, routes),
                None => return Ok(shutting_down),
            },
            request = outbox.recv() => {
                let Some(request) = request else { return Ok(shutting_down) };
                shutting_down = matches!(request, Request::Shutdown);
                bytes.clear();
                frame::encode(&request, &mut bytes).map_err(io::Error::other)?;
                // One write for a burst: 500 starts are a few system calls.
                while let Ok(request) = outbox.try_recv() {
                    shutting_down = matches!(request, Request::Shutdown);
                    frame::encode(&request, &mut bytes).map_err(io::Error::other)?;
                }
                wire.stream.write_all(&bytes).await?;
            }
        }
    }
}

fn dispatch(event: Event, routes: &Routes) {
    let (run, news) = match event {
        Event::Spawned { run, pid, start_time, started_at } => {
            give(routes, run, KeeperNews::Main(MainProcess { pid, start_time }));
            (run, Input::Spawned { run: RunId(run), pid, started: Timestamp(started_at) })
        }
        Event::SpawnFailed { run, stage, message } => {
            (run, Input::SpawnFailed { run: RunId(run), error: SpawnError { stage, message } })
        }
        Event::Exited { run, ending } => (run, exited(run, ending)),
        Event::TreeEmptied { run } => (run, Input::TreeEmptied { run: RunId(run) }),
        Event::Welcome { .. } | Event::ShutdownRefused { .. } => return,
    };
    give(routes, run, KeeperNews::Input(Box::new(news)));
}

fn give(routes: &Routes, run: u64, news: KeeperNews) {
    let routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(inbox) = routes.get(&run) {
        let _ = inbox.send(news);
    }
}

/// Brings the instances up to date after a break: a new keeper does not have
/// the runs of the old one, the same keeper may have seen endings meanwhile.
fn catch_up(routes: &Routes, records: &[RunRecord]) {
    let mut routes = routes.lock().unwrap_or_else(PoisonError::into_inner);
    routes.retain(|run, inbox| {
        let Some(record) = records.iter().find(|record| record.run == *run) else {
            let _ = inbox.send(KeeperNews::Lost(RunId(*run)));
            return false;
        };
        let _ = inbox.send(KeeperNews::Input(Box::new(Input::Spawned {
            run: RunId(*run),
            pid: record.pid,
            started: Timestamp(record.started_at),
        })));
        if let Some(ending) = &record.ending {
            let _ = inbox.send(KeeperNews::Input(Box::new(exited(*run, ending.clone()))));
        }
        true
    });
}

fn exited(run: u64, ending: Ending) -> Input {
    Input::Exited { run: RunId(run), status: ending.status, at: Timestamp(ending.at), tree_empty: ending.tree_empty }
}
