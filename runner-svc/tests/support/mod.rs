//! A real runner-svc process against a registry made of a few lines: it
//! assigns what a test says and keeps what is reported.

// Each test file uses its own part.
#![allow(dead_code)]
// Outside of a test function, too, a test may end by a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod alive;
pub(crate) mod logs;
pub(crate) mod port;
pub(crate) mod request;
pub(crate) mod threads;
mod whole;

use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_server::{RunnerSessionService, RunnerSessionServiceServer};
use pm_proto::{convert, v1};
use process_model::spec::Command as ProgramCommand;
use process_model::{ExitStatus, InstanceReport, ProcessSpec};
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::Incoming;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Longest wait for anything; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

#[derive(Debug)]
pub(crate) enum Seen {
    Instance(InstanceReport),
    Action(v1::ActionReport),
    Lines(v1::SeenLines),
}

#[derive(Clone)]
struct Registry {
    assignments: watch::Receiver<Vec<v1::Assignment>>,
    actions: Arc<Mutex<Vec<v1::ActionOrder>>>,
    neighbours: Arc<Mutex<Vec<v1::NeighbourUpdate>>>,
    seen: mpsc::UnboundedSender<Seen>,
    /// Whether heartbeats are answered.
    answers: Arc<AtomicBool>,
}

#[tonic::async_trait]
impl RunnerSessionService for Registry {
    type RunSessionStream = ReceiverStream<Result<v1::RunSessionResponse, Status>>;

    async fn run_session(
        &self,
        request: Request<Streaming<v1::RunSessionRequest>>,
    ) -> Result<Response<Self::RunSessionStream>, Status> {
        let (down, stream) = mpsc::channel(64);
        let this = self.clone();
        tokio::spawn(async move {
            let _ = this.serve(request.into_inner(), down).await;
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Registry {
    async fn serve(
        mut self,
        mut up: Streaming<v1::RunSessionRequest>,
        down: mpsc::Sender<Result<v1::RunSessionResponse, Status>>,
    ) -> Option<()> {
        let send = async |message| down.send(Ok(v1::RunSessionResponse { message: Some(message) })).await.ok();
        let interval = Some(convert::duration_to_wire(Duration::from_millis(200)));
        let lease = Some(convert::duration_to_wire(Duration::from_secs(600)));
        let cluster_id = "test".to_owned();
        send(Down::Welcome(v1::SessionWelcome {
            heartbeat_interval: interval,
            lease,
            cluster_id,
            ..Default::default()
        }))
        .await?;
        self.assignments.mark_changed();
        loop {
            tokio::select! {
                message = up.message() => match message.ok()??.message? {
                    Up::Report(report) => {
                        for instance in &report.instances {
                            self.seen.send(Seen::Instance(instance.try_into().unwrap())).ok()?;
                        }
                        for action in report.actions {
                            self.seen.send(Seen::Action(action)).ok()?;
                        }
                        for lines in report.lines {
                            self.seen.send(Seen::Lines(lines)).ok()?;
                        }
                        if report.seq > 0 {
                            send(Down::ReportAck(v1::ReportAck { seq: report.seq })).await?;
                        }
                    }
                    Up::Heartbeat(beat) if self.answers.load(Ordering::SeqCst) => {
                        let ack = v1::HeartbeatAck { seq: beat.seq, ..Default::default() };
                        send(Down::HeartbeatAck(ack)).await?;
                    }
                    Up::Hello(_) | Up::Heartbeat(_) => {}
                },
                changed = self.assignments.changed() => {
                    changed.ok()?;
                    let neighbours: Vec<_> = self.neighbours.lock().unwrap().drain(..).collect();
                    for update in neighbours {
                        send(Down::Neighbours(update)).await?;
                    }
                    let set = self.assignments.borrow_and_update().clone();
                    send(Down::Assignments(v1::AssignmentUpdate { full: true, set, revision: 1, ..Default::default() })).await?;
                    let actions: Vec<_> = self.actions.lock().unwrap().drain(..).collect();
                    for action in actions {
                        send(Down::Action(action)).await?;
                    }
                }
            }
        }
    }
}

/// A node under test.
pub(crate) struct Node {
    pub(crate) dir: tempfile::TempDir,
    /// Of the registry, and nobody else's while that is closed.
    registry_port: (TcpSocket, u16),
    assignments: watch::Sender<Vec<v1::Assignment>>,
    actions: Arc<Mutex<Vec<v1::ActionOrder>>>,
    neighbours: Arc<Mutex<Vec<v1::NeighbourUpdate>>>,
    seen: mpsc::UnboundedReceiver<Seen>,
    registry: Registry,
    serving: CancellationToken,
    pub(crate) runner: Option<Child>,
}

impl Node {
    /// A state directory on a real disk, with a registry beside it.
    pub(crate) async fn new() -> Self {
        let dir = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        Secret::new("test-token").unwrap().write_new(&dir.path().join("token")).unwrap();
        let (assignments, rx) = watch::channel(Vec::new());
        let (seen_tx, seen) = mpsc::unbounded_channel();
        let actions = Arc::<Mutex<Vec<_>>>::default();
        let answers = Arc::new(AtomicBool::new(true));
        let neighbours = Arc::<Mutex<Vec<_>>>::default();
        let (told, asked) = (neighbours.clone(), actions.clone());
        let registry = Registry { assignments: rx, actions: asked, neighbours: told, seen: seen_tx, answers };
        let serving = CancellationToken::new();
        let registry_port = port::reserved();
        let mut node =
            Self { dir, registry_port, assignments, actions, neighbours, seen, registry, serving, runner: None };
        node.open_registry().await;
        node
    }

    pub(crate) async fn open_registry(&mut self) {
        self.serving = CancellationToken::new();
        let (port, deadline) = (self.registry_port.1, tokio::time::Instant::now() + PATIENCE);
        let listener = loop {
            match TcpListener::bind(("127.0.0.1", port)).await {
                // The one before is closed some moment after it was told to be.
                Err(e) if e.kind() == std::io::ErrorKind::AddrInUse && tokio::time::Instant::now() < deadline => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                bound => break bound.unwrap(),
            }
        };
        let host = GrpcHost::new(pm_proto::DESCRIPTORS)
            .token(Secret::new("test-token").unwrap())
            .service(RunnerSessionServiceServer::new(self.registry.clone()));
        let serving = self.serving.clone();
        tokio::spawn(async move { host.serve(Incoming::Tcp(listener), serving).await.unwrap() });
    }

    /// From now on heartbeats are answered, or not.
    pub(crate) fn answer_heartbeats(&self, answer: bool) {
        self.registry.answers.store(answer, Ordering::SeqCst);
    }

    pub(crate) fn close_registry(&self) {
        self.serving.cancel();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_runner-svc"));
        command
            .arg("--registry")
            .arg(format!("http://127.0.0.1:{}", self.registry_port.1))
            .args(["--monitor", "http://127.0.0.1:9", "--node", "n1"])
            .args(["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"])
            .arg("--state-dir")
            .arg(self.path("state"))
            .arg("--log-dir")
            .arg(self.path("logs"))
            .arg("--service-token-file")
            .arg(self.path("token"))
            .stdin(Stdio::null());
        command
    }

    pub(crate) fn start_runner(&mut self) {
        self.runner = Some(self.command().spawn().unwrap());
    }

    /// `kill -9`, and nothing else.
    pub(crate) fn kill_runner(&mut self) {
        let mut runner = self.runner.take().unwrap();
        runner.kill().unwrap();
        assert_eq!(runner.wait().unwrap().signal(), Some(9));
    }

    pub(crate) fn assign(&self, specs: &[(ProcessSpec, bool, u64)]) {
        let set = specs
            .iter()
            .map(|(spec, wanted, restart_count)| v1::Assignment {
                instance_id: format!("{}-1", spec.name),
                index: 1,
                generation: 1,
                spec: Some(convert::spec_to_wire(spec)),
                wanted: *wanted,
                restart_count: *restart_count,
                traceparent: String::new(),
                fencing_token: 77,
                plan: None,
            })
            .collect();
        self.assignments.send_replace(set);
    }

    /// Orders an action that goes down with the next assignment.
    pub(crate) fn order(&self, action_id: &str, verb: v1::ActionVerb, instance_id: &str, restart_count: u64) {
        self.actions.lock().unwrap().push(v1::ActionOrder {
            action_id: action_id.into(),
            verb: verb.into(),
            instance_id: instance_id.into(),
            stop_timeout: None,
            restart_count,
            traceparent: String::new(),
            term: 0,
            unit: String::new(),
            signal: String::new(),
        });
    }

    /// Tells it of other nodes; before what it is assigned then.
    pub(crate) fn tell_neighbours(&self, update: v1::NeighbourUpdate) {
        self.neighbours.lock().unwrap().push(update);
        self.assignments.send_modify(|_| {});
    }

    /// The next lines that it tells of; what comes before is dropped.
    pub(crate) async fn lines(&mut self) -> v1::SeenLines {
        loop {
            if let Seen::Lines(lines) = self.next("lines").await {
                return lines;
            }
        }
    }

    /// The next report of this event; what comes before is dropped.
    pub(crate) async fn event(&mut self, event: &str) -> InstanceReport {
        loop {
            if let Seen::Instance(report) = self.next(event).await
                && report.event_type == event
            {
                return report;
            }
        }
    }

    /// The next report of any instance.
    pub(crate) async fn any_report(&mut self) -> InstanceReport {
        loop {
            if let Seen::Instance(report) = self.next("report").await {
                return report;
            }
        }
    }

    /// The final state of an action.
    pub(crate) async fn action(&mut self, id: &str) -> (v1::ActionState, String) {
        loop {
            if let Seen::Action(report) = self.next(id).await
                && report.action_id == id
                && report.state() != v1::ActionState::Delivered
            {
                return (report.state(), report.message);
            }
        }
    }

    /// An action has come to its instance, which may take its time.
    pub(crate) async fn delivered(&mut self, id: &str) {
        loop {
            if let Seen::Action(report) = self.next(id).await
                && report.action_id == id
            {
                return;
            }
        }
    }

    async fn next(&mut self, what: &str) -> Seen {
        tokio::time::timeout(PATIENCE, self.seen.recv())
            .await
            .unwrap_or_else(|_| panic!("no {what} within {PATIENCE:?}"))
            .unwrap()
    }

    /// Events that have been reported since, of all instances.
    pub(crate) fn reported(&mut self) -> Vec<String> {
        let mut events = Vec::new();
        while let Ok(seen) = self.seen.try_recv() {
            if let Seen::Instance(report) = seen {
                events.push(report.event_type);
            }
        }
        events
    }

    /// Nothing has been reported since.
    pub(crate) fn is_quiet(&mut self) -> bool {
        self.seen.try_recv().is_err()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.assignments.send_replace(Vec::new());
        if let Some(mut runner) = self.runner.take() {
            let _ = runner.kill();
            let _ = runner.wait();
        }
        // The keeper ignores everything but this; its children go with it.
        for pid in keepers(&self.path("state")).into_iter().chain(below(self.dir.path())) {
            kill(pid, rustix::process::Signal::KILL);
        }
    }
}

/// Keepers of a state directory.
pub(crate) fn keepers(state_dir: &Path) -> Vec<u32> {
    let suffix = format!("__pm-keeper\0{}\0", state_dir.display());
    pids()
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| String::from_utf8_lossy(&c).ends_with(&suffix))
        })
        .collect()
}

/// Processes whose environment mentions a directory.
fn below(dir: &Path) -> Vec<u32> {
    let mark = format!("TEST_DIR={}", dir.display());
    pids()
        .filter(|pid| {
            std::fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|e| e.split(|b| *b == 0).any(|v| v == mark.as_bytes()))
        })
        .collect()
}

/// The process of this node whose command line mentions a word.
pub(crate) fn descendant(node: &Node, word: &str) -> u32 {
    let is_it = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| String::from_utf8_lossy(&c).contains(word))
    };
    below(node.dir.path()).into_iter().find(is_it).unwrap_or_default()
}

fn pids() -> impl Iterator<Item = u32> {
    std::fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

pub(crate) fn kill(pid: u32, signal: rustix::process::Signal) {
    if let Some(pid) = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw) {
        let _ = rustix::process::kill_process(pid, signal);
    }
}

pub(crate) fn is_alive(pid: u32) -> bool {
    alive::is_running(pid)
}

/// A spec of a command line, with everything at once instead of after seconds.
pub(crate) fn sh(node: &Node, name: &str, line: &str) -> ProcessSpec {
    let mut spec = ProcessSpec::new(name.parse().unwrap(), ProgramCommand::Shell(line.to_owned()));
    spec.working_dir = Some(node.dir.path().to_string_lossy().into_owned());
    spec.env.insert("TEST_DIR".into(), node.dir.path().to_string_lossy().into_owned());
    spec.restart.backoff.initial = Duration::from_millis(50);
    spec.restart.backoff.max = Duration::from_millis(200);
    spec
}

pub(crate) fn code(report: &InstanceReport) -> Option<i32> {
    match report.last_exit {
        Some(ExitStatus::Code(code)) => Some(code),
        _ => None,
    }
}

/// Waits until a file has this many lines.
pub(crate) async fn lines_in(path: &Path, at_least: usize) -> Vec<String> {
    let deadline = tokio::time::Instant::now() + PATIENCE;
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    loop {
        let lines = whole::lines(&std::fs::read_to_string(path).unwrap_or_default());
        if lines.len() >= at_least {
            return lines;
        }
        assert!(tokio::time::Instant::now() < deadline, "{} has only {} lines", path.display(), lines.len());
        tick.tick().await;
    }
}

/// A test that this machine cannot run: told on a person's machine, a failure
/// in CI.
pub(crate) fn cannot_run_here(lacking: &str) {
    assert!(std::env::var_os("CI").is_none(), "this machine does not allow {lacking}, which CI has to");
    eprintln!("skipped: this machine does not allow {lacking}");
}
