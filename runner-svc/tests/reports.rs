//! What goes up and down between a runner and its registry when something is
//! wrong: with the order of messages, with one of them, with the journal, with
//! the disk, with the registry itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_server::{RunnerSessionService, RunnerSessionServiceServer};
use pm_proto::{convert, v1};
use process_model::{ProcessSpec, event_type};
use rustix::process::Signal;
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::Incoming;
use std::process::{Child, Command};
use std::time::Duration;
use support::{Node, is_alive, lines_in, sh};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

/// Longest wait for anything; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// A registry that says only what a test says.
#[derive(Clone)]
struct Door(mpsc::Sender<Talk>);

/// One session of it.
struct Talk {
    up: Streaming<v1::RunSessionRequest>,
    down: mpsc::Sender<Result<v1::RunSessionResponse, Status>>,
    /// Of the last report, in order.
    instances: std::collections::VecDeque<v1::InstanceReport>,
    actions: Vec<v1::ActionReport>,
}

#[tonic::async_trait]
impl RunnerSessionService for Door {
    type RunSessionStream = ReceiverStream<Result<v1::RunSessionResponse, Status>>;

    async fn run_session(
        &self,
        request: Request<Streaming<v1::RunSessionRequest>>,
    ) -> Result<Response<Self::RunSessionStream>, Status> {
        let (down, stream) = mpsc::channel(64);
        let talk = Talk { up: request.into_inner(), down, instances: Default::default(), actions: Vec::new() };
        self.0.send(talk).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Talk {
    async fn up(&mut self) -> Option<Up> {
        let message = tokio::time::timeout(PATIENCE, self.up.message()).await.expect("the runner is silent");
        message.ok()??.message
    }

    async fn send(&self, message: Down) {
        self.down.send(Ok(v1::RunSessionResponse { message: Some(message) })).await.unwrap();
    }

    async fn welcome(&mut self, cluster_id: &str) {
        assert!(matches!(self.up().await, Some(Up::Hello(_))));
        self.send(welcome(cluster_id)).await;
    }

    async fn assign(&self, full: bool, set: Vec<v1::Assignment>) {
        self.send(Down::Assignments(v1::AssignmentUpdate { full, set, ..Default::default() })).await;
    }

    async fn order(&self, action_id: &str, verb: v1::ActionVerb, instance_id: &str) {
        let (action_id, instance_id) = (action_id.to_owned(), instance_id.to_owned());
        self.send(Down::Action(v1::ActionOrder { action_id, verb: verb.into(), instance_id, ..Default::default() }))
            .await;
    }

    /// Takes the next report in and confirms it.
    async fn hear(&mut self) {
        loop {
            match self.up().await.expect("the runner ended the session") {
                Up::Report(report) => {
                    self.instances.extend(report.instances);
                    self.actions.extend(report.actions);
                    return self.send(Down::ReportAck(v1::ReportAck { seq: report.seq })).await;
                }
                Up::Hello(_) | Up::Heartbeat(_) => {}
            }
        }
    }

    /// The first one that is left of this event: those of several instances come in any order.
    async fn event(&mut self, event: &str) -> v1::InstanceReport {
        loop {
            if let Some(at) = self.instances.iter().position(|report| report.event_type == event) {
                return self.instances.remove(at).unwrap();
            }
            self.hear().await;
        }
    }

    async fn outcome(&mut self, action: &str) -> v1::ActionReport {
        loop {
            let is_it = |a: &&v1::ActionReport| a.action_id == action && a.state() != v1::ActionState::Delivered;
            if let Some(report) = self.actions.iter().find(is_it) {
                return report.clone();
            }
            self.hear().await;
        }
    }
}

/// A runner at a registry that the test plays.
struct Stage {
    node: Node,
    talks: mpsc::Receiver<Talk>,
    closed: CancellationToken,
}

impl Stage {
    async fn set() -> Self {
        let mut node = Node::new().await;
        let (door, talks) = mpsc::channel(1);
        let closed = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let host = GrpcHost::new(pm_proto::DESCRIPTORS)
            .token(Secret::new("test-token").unwrap())
            .service(RunnerSessionServiceServer::new(Door(door)));
        tokio::spawn(host.serve(Incoming::Tcp(listener), closed.clone()));
        let command = node.command();
        let mut ours = Command::new(command.get_program());
        let mut args = command.get_args();
        while let Some(arg) = args.next() {
            ours.arg(arg);
            if arg == "--registry" {
                args.next();
                ours.arg(&address);
            }
        }
        node.runner = Some(ours.spawn().unwrap());
        Self { node, talks, closed }
    }

    async fn talk(&mut self) -> Talk {
        tokio::time::timeout(PATIENCE, self.talks.recv()).await.expect("the runner does not call").unwrap()
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

fn welcome(cluster_id: &str) -> Down {
    let interval = Some(convert::duration_to_wire(Duration::from_secs(1)));
    Down::Welcome(v1::SessionWelcome {
        heartbeat_interval: interval,
        // It answers no heartbeats.
        lease: Some(convert::duration_to_wire(Duration::from_secs(600))),
        cluster_id: cluster_id.to_owned(),
        ..Default::default()
    })
}

fn wire(spec: &ProcessSpec, generation: u64, wanted: bool) -> v1::Assignment {
    v1::Assignment {
        instance_id: format!("{}-1", spec.name),
        index: 1,
        generation,
        spec: Some(convert::spec_to_wire(spec)),
        wanted,
        ..v1::Assignment::default()
    }
}

/// As of a registry that knows more than this runner.
fn unreadable(spec: &ProcessSpec, generation: u64) -> v1::Assignment {
    v1::Assignment { spec: None, ..wire(spec, generation, true) }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_that_is_changed_and_changed_back_ends_as_the_last_one() {
    let mut stage = Stage::set().await;
    let one = wire(&sh(&stage.node, "web", "echo one > ran-$$; exec sleep 1000"), 1, true);
    let two = wire(&sh(&stage.node, "web", "echo two > ran-$$; exec sleep 1000"), 2, true);
    let mut talk = stage.talk().await;
    talk.welcome("c").await;
    talk.assign(true, vec![one.clone()]).await;
    // Faster than any of them can be carried out.
    for _ in 0..5 {
        talk.assign(false, vec![two.clone()]).await;
        talk.assign(false, vec![one.clone()]).await;
    }
    // Done when everything before it has been taken in, and the last of it runs.
    talk.order("a", v1::ActionVerb::Start, "web-1").await;
    assert_eq!(talk.outcome("a").await.state(), v1::ActionState::Done);
    let last = talk.instances.iter().rfind(|report| report.pid != 0).expect("nothing runs");
    assert_eq!(last.generation, 1);
    assert_eq!(lines_in(&stage.node.path(&format!("ran-{}", last.pid)), 1).await, ["one"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_while_the_instance_goes_is_not_lost_with_it() {
    let mut stage = Stage::set().await;
    let spec = sh(&stage.node, "web", "exec sleep 1000");
    let mut talk = stage.talk().await;
    talk.welcome("test").await;
    talk.assign(true, vec![wire(&spec, 1, true)]).await;
    for generation in 2..12 {
        // At rest, so that it goes at once: the next assignment meets its end.
        talk.assign(true, vec![wire(&spec, generation, false)]).await;
        talk.order("stop", v1::ActionVerb::Stop, "web-1").await;
        talk.outcome("stop").await;
        talk.actions.clear();
        talk.assign(true, vec![]).await;
        talk.assign(true, vec![wire(&spec, generation, true)]).await;
        talk.order("start", v1::ActionVerb::Start, "web-1").await;
        let started = talk.outcome("start").await;
        assert_eq!(started.state(), v1::ActionState::Done, "{}", started.message);
        talk.actions.clear();
    }
    // The journal has it as well.
    let started = talk.instances.iter().rfind(|report| report.pid != 0).unwrap().pid;
    drop(talk);
    stage.node.kill_runner();
    stage.node.assign(&[(spec, true, 0)]);
    stage.node.start_runner();
    assert_eq!(stage.node.event(event_type::INSTANCE_ADOPTED).await.pid, started);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_assignment_that_cannot_be_read_hurts_only_itself() {
    let mut stage = Stage::set().await;
    let (web, odd) = (sh(&stage.node, "web", "exec sleep 1000"), sh(&stage.node, "odd", "exec sleep 1000"));
    let mut talk = stage.talk().await;
    talk.welcome("c").await;
    talk.assign(true, vec![unreadable(&odd, 1), wire(&web, 1, true)]).await;
    let failed = talk.event(event_type::INSTANCE_START_FAILED).await;
    assert_eq!(failed.instance_id, "odd-1");
    assert_eq!(failed.phase(), v1::InstancePhase::Failed);
    assert!(failed.message.contains("cannot read"), "{}", failed.message);
    let started = talk.event(event_type::INSTANCE_STARTED).await;
    assert_eq!(started.instance_id, "web-1");
    talk.order("a", v1::ActionVerb::Start, "odd-1").await;
    assert_eq!(talk.outcome("a").await.state(), v1::ActionState::Failed);

    // What runs goes on when its next assignment cannot be read, though that is all there is.
    talk.assign(true, vec![unreadable(&odd, 1), unreadable(&web, 2)]).await;
    let unread = talk.event(event_type::INSTANCE_START_FAILED).await;
    assert_eq!((unread.instance_id.as_str(), unread.pid), ("web-1", started.pid));
    assert!(is_alive(started.pid));

    // In the same session.
    talk.assign(true, vec![wire(&odd, 2, true), wire(&web, 3, true)]).await;
    assert_eq!(talk.event(event_type::INSTANCE_STARTED).await.instance_id, "odd-1");
    assert!(is_alive(started.pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_of_another_cluster_learns_nothing() {
    let mut stage = Stage::set().await;
    let mut talk = stage.talk().await;
    talk.welcome("ours").await;
    talk.assign(true, vec![wire(&sh(&stage.node, "web", "exec sleep 1000"), 1, true)]).await;
    // Not confirmed: the runner has something to say.
    while !matches!(talk.up().await.unwrap(), Up::Report(_)) {}
    drop(talk);

    let mut talk = stage.talk().await;
    assert!(matches!(talk.up().await, Some(Up::Hello(_))));
    // No event says that nothing comes; a runner that speaks too early does so at once.
    let early = tokio::time::timeout(Duration::from_millis(300), talk.up.message()).await;
    assert!(early.is_err(), "told before the welcome: {early:?}");
    talk.send(welcome("theirs")).await;
    let next = talk.up().await;
    assert!(next.is_none(), "told to a stranger: {next:?}");
    drop(talk);

    let mut talk = stage.talk().await;
    talk.welcome("ours").await;
    talk.event(event_type::INSTANCE_STARTED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_confirmation_of_reports_that_were_never_sent_confirms_none_of_them() {
    let mut stage = Stage::set().await;
    let spec = sh(&stage.node, "web", "exec sleep 1000");
    let mut talk = stage.talk().await;
    talk.welcome("c").await;
    talk.send(Down::ReportAck(v1::ReportAck { seq: u64::MAX })).await;
    talk.assign(true, vec![wire(&spec, 1, true)]).await;
    while !matches!(talk.up().await.unwrap(), Up::Report(_)) {}
    talk.send(Down::ReportAck(v1::ReportAck { seq: u64::MAX })).await;
    // Nor does a stop timeout that no clock can hold end the runner.
    talk.assign(false, vec![wire(&spec, 1, false)]).await;
    talk.send(Down::Action(v1::ActionOrder {
        action_id: "a".into(),
        verb: v1::ActionVerb::Stop.into(),
        instance_id: "web-1".into(),
        stop_timeout: Some(convert::duration_to_wire(Duration::from_secs(i64::MAX as u64))),
        ..Default::default()
    }))
    .await;
    talk.event(event_type::INSTANCE_STOPPED).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_journal_was_wiped_goes_on_above_its_old_numbers() {
    let mut node = Node::new().await;
    node.assign(&[(sh(&node, "web", "exec sleep 1000"), true, 0)]);
    node.start_runner();
    let before = node.event(event_type::INSTANCE_STARTED).await;
    node.kill_runner();
    std::fs::remove_file(node.path("state/journal")).unwrap();
    node.start_runner();
    let after = node.event(event_type::INSTANCE_STARTED).await;
    assert!(after.seq > before.seq, "{} is not above {}", after.seq, before.seq);
}

/// Starts a runner on a small disk; once told by a file, fills that, kills the
/// runner and starts another.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=1m none "$STATE" || exit 77
"$@" & first=$!
until [ -e "$TOLD" ]; do sleep 0.05; done
dd if=/dev/zero of="$STATE/ballast" bs=4k 2>/dev/null
kill -9 $first; wait $first 2>/dev/null
exec "$@"
"#;

/// `unshare(1)` with a mount of its own, or nothing where that is not allowed.
fn on_a_small_disk(node: &Node) -> Option<Child> {
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "sh", "-c"]);
        command
    };
    let probe = unshare().args(["mount -t tmpfs none /mnt", "probe"]).output().ok()?;
    if !probe.status.success() {
        return None;
    }
    let runner = node.command();
    std::fs::create_dir(node.path("state")).unwrap();
    let mut command = unshare();
    command.args([SMALL_DISK, "small-disk"]).arg(runner.get_program()).args(runner.get_args());
    Some(command.env("STATE", node.path("state")).env("TOLD", node.path("fill")).spawn().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runner_starts_on_a_full_disk_and_its_journal_is_whole_once_there_is_room() {
    let mut node = Node::new().await;
    let web = (sh(&node, "web", "exec sleep 1000"), true, 0);
    node.assign(std::slice::from_ref(&web));
    node.runner = on_a_small_disk(&node);
    let Some(runner) = node.runner.as_ref().map(Child::id) else {
        return support::cannot_run_here("mounting a small file system");
    };
    let started = node.event(event_type::INSTANCE_STARTED).await;
    std::fs::write(node.path("fill"), "").unwrap();
    assert_eq!(node.event(event_type::INSTANCE_ADOPTED).await.pid, started.pid);

    // Larger than what the last block of the file can have left.
    let mut api = sh(&node, "api", "exec sleep 1000");
    api.env.insert("PAD".into(), "x".repeat(100_000));
    node.assign(&[web, (api, true, 0)]);
    let started = node.event(event_type::INSTANCE_STARTED).await;
    assert_eq!(started.instance.to_string(), "api-1");
    let state = format!("/proc/{runner}/root{}", node.path("state").display());
    let journal = || std::fs::read(format!("{state}/journal")).unwrap();
    assert!(journal().len() < 100_000, "the disk was not full");
    std::fs::remove_file(format!("{state}/ballast")).unwrap();
    let mut tick = tokio::time::interval(Duration::from_millis(20));
    tokio::time::timeout(PATIENCE, async {
        while journal().len() < 100_000 {
            tick.tick().await;
        }
    })
    .await
    .expect("the journal was not written again");
    support::kill(runner, Signal::KILL);
}
