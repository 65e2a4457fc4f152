//! A registry with clients, all in one process, on a real disk.

#![allow(dead_code, unreachable_pub, missing_docs)]

use crate::place;
use pm_proto::v1;
use pm_proto::v1::action_service_client::ActionServiceClient;
use pm_proto::v1::cluster_service_client::ClusterServiceClient;
use pm_proto::v1::event_service_client::EventServiceClient;
use pm_proto::v1::instance_service_client::InstanceServiceClient;
use pm_proto::v1::node_service_client::NodeServiceClient;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::run_session_request::Message;
use pm_proto::v1::run_session_response::Message as Answer;
use pm_proto::v1::runner_session_service_client::RunnerSessionServiceClient;
use registry_svc::{Options, Registry};
use service_host::client::{ServiceChannel, service_channel};
use service_host::secret::Secret;
use service_host::server::ServeError;
use service_host::transport::{Dial, Incoming, memory};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Status, Streaming};

/// Longest wait for something that has to come. Never waited for when all is
/// well.
pub const SOON: Duration = Duration::from_secs(20);

pub struct Town {
    pub dir: TempDir,
    pub token: Secret,
    pub registry: Registry,
    pub channel: ServiceChannel,
    pub dial: Dial,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), ServeError>>,
}

/// Runners here say nothing by themselves, and none of them is to be suspected for it while a test goes on. A leader
/// whose disk does not finish a write within an election timeout sends its runners away: that is not to be one second
/// of a busy machine.
pub fn options(dir: &Path, token: &Secret) -> Options {
    let (lease, election_timeout) = (Duration::from_secs(600), Duration::from_secs(60));
    Options { lease, election_timeout, ..Options::new(dir, token.clone()) }
}

impl Town {
    pub async fn open() -> Self {
        Self::open_in(place::real_disk(), |options| options).await
    }

    pub async fn open_in(dir: TempDir, tune: impl FnOnce(Options) -> Options) -> Self {
        let token = Secret::new("test-token").unwrap();
        let registry = Registry::open(tune(options(dir.path(), &token)), None).await.unwrap();
        let (connector, incoming) = memory();
        let (shutdown, served) = (CancellationToken::new(), registry.clone());
        let stop = shutdown.clone();
        let serving = tokio::spawn(async move { served.serve(Incoming::Memory(incoming), stop).await });
        let dial = Dial::Memory(connector);
        let channel = service_channel(&dial, &token).unwrap();
        Self { dir, token, registry, channel, dial, shutdown, serving }
    }

    /// Ends it and gives back its directory.
    pub async fn close(self) -> TempDir {
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
        self.registry.close().await;
        self.dir
    }

    pub fn processes(&self) -> ProcessServiceClient<ServiceChannel> {
        ProcessServiceClient::new(self.channel.clone())
    }

    pub fn events(&self) -> EventServiceClient<ServiceChannel> {
        EventServiceClient::new(self.channel.clone())
    }

    pub fn actions(&self) -> ActionServiceClient<ServiceChannel> {
        ActionServiceClient::new(self.channel.clone())
    }

    pub fn cluster(&self) -> ClusterServiceClient<ServiceChannel> {
        ClusterServiceClient::new(self.channel.clone())
    }

    pub async fn apply(&self, specs: Vec<v1::ProcessSpec>) -> v1::ApplyProcessesResponse {
        let request = v1::ApplyProcessesRequest { specs, ..Default::default() };
        self.processes().apply_processes(request).await.unwrap().into_inner()
    }

    pub async fn instances(&self) -> Vec<v1::Instance> {
        let mut client = InstanceServiceClient::new(self.channel.clone());
        client.list_instances(v1::ListInstancesRequest::default()).await.unwrap().into_inner().instances
    }

    pub async fn nodes(&self) -> Vec<v1::Node> {
        let mut client = NodeServiceClient::new(self.channel.clone());
        client.list_nodes(v1::ListNodesRequest::default()).await.unwrap().into_inner().nodes
    }

    pub async fn watch_as(&self, request: v1::WatchEventsRequest) -> Watcher {
        Watcher(self.events().watch_events(request).await.unwrap().into_inner())
    }

    /// A number among the metrics.
    pub fn metric(&self, name: &str) -> u64 {
        let text = self.registry.metrics().encode();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is missing in\n{text}")).parse().unwrap()
    }

    pub async fn watch(&self, from_revision: u64) -> Watcher {
        let request = v1::WatchEventsRequest { from_revision, follow: true, ..Default::default() };
        Watcher(self.events().watch_events(request).await.unwrap().into_inner())
    }

    pub async fn runner(&self, node: &str) -> Runner {
        Runner::connect(self.channel.clone(), node).await
    }
}

pub fn spec(name: &str, instances: u32) -> v1::ProcessSpec {
    use process_model::spec::Command as Program;
    let mut spec = process_model::ProcessSpec::new(name.parse().unwrap(), Program::Shell(format!("run {name}")));
    spec.instances = instances;
    pm_proto::convert::spec_to_wire(&spec)
}

/// The reason of a status, with its code.
pub fn fault(status: &Status) -> (Code, String) {
    (status.code(), pm_proto::error::reason_of(status).unwrap_or_default())
}

pub struct Watcher(pub Streaming<v1::WatchEventsResponse>);

impl Watcher {
    /// The next frame.
    pub async fn frame(&mut self) -> v1::watch_events_response::Frame {
        let frame = timeout(SOON, self.0.message()).await.expect("nothing came").unwrap().expect("the stream ended");
        frame.frame.unwrap()
    }

    /// The snapshot that the stream begins with.
    pub async fn snapshot(&mut self) -> Snapshot {
        let mut snapshot = Snapshot::default();
        loop {
            match self.frame().await {
                v1::watch_events_response::Frame::Node(node) => snapshot.nodes.push(node),
                v1::watch_events_response::Frame::Process(process) => snapshot.processes.push(process),
                v1::watch_events_response::Frame::Instance(instance) => snapshot.instances.push(instance),
                v1::watch_events_response::Frame::SnapshotEnd(end) => {
                    snapshot.revision = end.revision;
                    return snapshot;
                }
                other => panic!("{other:?} within a snapshot"),
            }
        }
    }

    /// The next event; progress is passed over.
    pub async fn event(&mut self) -> v1::Event {
        loop {
            let frame =
                timeout(SOON, self.0.message()).await.expect("no event came").unwrap().expect("the stream ended");
            match frame.frame.unwrap() {
                v1::watch_events_response::Frame::Event(event) => return event,
                v1::watch_events_response::Frame::Progress(_) => {}
                other => panic!("{other:?} and no event"),
            }
        }
    }

    pub async fn until(&mut self, kind: &str) -> v1::Event {
        loop {
            let event = self.event().await;
            if event.r#type == kind {
                return event;
            }
        }
    }
}

#[derive(Default)]
pub struct Snapshot {
    pub nodes: Vec<v1::Node>,
    pub processes: Vec<v1::Process>,
    pub instances: Vec<v1::Instance>,
    pub revision: u64,
}

impl Snapshot {
    pub fn names(&self) -> Vec<String> {
        let name = |process: &v1::Process| process.spec.clone().unwrap().name;
        self.processes.iter().map(name).collect()
    }

    pub fn ids(&self) -> Vec<&str> {
        self.instances.iter().map(|instance| instance.id.as_str()).collect()
    }
}

/// A runner that does as it is told, by hand.
pub struct Runner {
    pub send: mpsc::Sender<v1::RunSessionRequest>,
    pub receive: Streaming<v1::RunSessionResponse>,
    pub welcome: v1::SessionWelcome,
}

impl Runner {
    pub async fn connect(channel: ServiceChannel, node: &str) -> Self {
        let (send, stream) = mpsc::channel(64);
        let hello = v1::SessionHello {
            node: node.into(),
            boot_id: "boot-1".into(),
            runner_version: "1".into(),
            cpus: 2,
            memory_bytes: 1,
            ..Default::default()
        };
        send.send(v1::RunSessionRequest { message: Some(Message::Hello(hello)) }).await.unwrap();
        let mut client = RunnerSessionServiceClient::new(channel);
        let mut receive = client.run_session(ReceiverStream::new(stream)).await.unwrap().into_inner();
        let first = receive.message().await.unwrap().unwrap().message.unwrap();
        let Answer::Welcome(welcome) = first else { panic!("{first:?}") };
        Self { send, receive, welcome }
    }

    pub async fn next(&mut self) -> Result<Answer, Status> {
        let message = timeout(SOON, self.receive.message()).await.expect("nothing came from the registry")?;
        Ok(message.expect("the session ended").message.unwrap())
    }

    /// The next assignments; acknowledgements are passed over.
    pub async fn assignments(&mut self) -> v1::AssignmentUpdate {
        loop {
            match self.next().await.unwrap() {
                Answer::Assignments(update) => return update,
                Answer::HeartbeatAck(_) | Answer::ReportAck(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn action(&mut self) -> v1::ActionOrder {
        loop {
            match self.next().await.unwrap() {
                Answer::Action(order) => return order,
                Answer::HeartbeatAck(_) | Answer::ReportAck(_) | Answer::Assignments(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    pub async fn beat(&mut self, seq: u64) {
        let beat = v1::Heartbeat { seq };
        self.send.send(v1::RunSessionRequest { message: Some(Message::Heartbeat(beat)) }).await.unwrap();
        loop {
            if let Answer::HeartbeatAck(ack) = self.next().await.unwrap() {
                assert_eq!(ack.seq, seq);
                return;
            }
        }
    }

    /// Reports and waits until it is committed.
    pub async fn report(&mut self, seq: u64, instances: Vec<v1::InstanceReport>, actions: Vec<v1::ActionReport>) {
        let report = v1::Report { seq, instances, actions, ..Default::default() };
        self.send.send(v1::RunSessionRequest { message: Some(Message::Report(report)) }).await.unwrap();
        loop {
            if let Answer::ReportAck(ack) = self.next().await.unwrap() {
                assert_eq!(ack.seq, seq);
                return;
            }
        }
    }
}

pub fn now() -> Option<prost_types::Timestamp> {
    Some(prost_types::Timestamp { seconds: 1_700_000_000, nanos: 0 })
}

pub fn seen(id: &str, seq: u64, kind: &str, phase: v1::InstancePhase) -> v1::InstanceReport {
    v1::InstanceReport {
        instance_id: id.into(),
        seq,
        generation: 1,
        event_type: kind.into(),
        time: now(),
        phase: phase.into(),
        ready: phase == v1::InstancePhase::Running,
        pid: 42,
        ..Default::default()
    }
}

pub fn done(order: &v1::ActionOrder) -> v1::ActionReport {
    v1::ActionReport {
        action_id: order.action_id.clone(),
        state: v1::ActionState::Done.into(),
        message: String::new(),
        time: now(),
    }
}
