//! A runner and several replicas of its registry: which of them it talks to,
//! and which of them it obeys.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use pm_proto::error::{reason, status};
use pm_proto::v1::run_session_request::Message as Up;
use pm_proto::v1::run_session_response::Message as Down;
use pm_proto::v1::runner_session_service_server::{RunnerSessionService, RunnerSessionServiceServer};
use pm_proto::{convert, v1};
use process_model::ProcessSpec;
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::Incoming;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Node, is_alive, sh};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Code, Request, Response, Status, Streaming};

/// Longest wait for anything; only a failure waits so long.
const PATIENCE: Duration = Duration::from_secs(30);

/// One replica, which says only what a test says.
#[derive(Clone)]
struct Replica {
    number: usize,
    talks: mpsc::Sender<Talk>,
    /// It does not lead; that one does.
    leader: Arc<Mutex<Option<String>>>,
    refused: Arc<AtomicUsize>,
}

/// One session.
struct Talk {
    with: usize,
    hello: v1::SessionHello,
    up: Streaming<v1::RunSessionRequest>,
    down: mpsc::Sender<Result<v1::RunSessionResponse, Status>>,
}

#[tonic::async_trait]
impl RunnerSessionService for Replica {
    type RunSessionStream = ReceiverStream<Result<v1::RunSessionResponse, Status>>;

    async fn run_session(
        &self,
        request: Request<Streaming<v1::RunSessionRequest>>,
    ) -> Result<Response<Self::RunSessionStream>, Status> {
        let mut up = request.into_inner();
        let Some(Up::Hello(hello)) = up.message().await?.and_then(|first| first.message) else { panic!("no hello") };
        if let Some(leader) = self.leader.lock().unwrap().clone() {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(status(Code::Unavailable, reason::NO_LEADER, "another leads", &[("leader", &leader)]));
        }
        let (down, stream) = mpsc::channel(64);
        let talk = Talk { with: self.number, hello, up, down };
        self.talks.send(talk).await.map_err(|_| Status::unavailable("the test is over"))?;
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

impl Talk {
    async fn up(&mut self) -> Option<Up> {
        let message = tokio::time::timeout(PATIENCE, self.up.message()).await.expect("the runner is silent");
        message.ok()??.message
    }

    /// The runner ends the session, whatever it still has to say.
    async fn until_left(mut self) {
        let left = async { while self.up().await.is_some() {} };
        tokio::time::timeout(PATIENCE, left).await.expect("the runner goes on with whom it must not obey");
    }

    async fn send(&self, message: Down) {
        self.down.send(Ok(v1::RunSessionResponse { message: Some(message) })).await.unwrap();
    }

    async fn welcome(&self, epoch: u64, term: u64, registries: &[String]) {
        let interval = Some(convert::duration_to_wire(Duration::from_secs(1)));
        let registries = registries.to_vec();
        let cluster_id = "c".to_owned();
        let welcome = v1::SessionWelcome {
            heartbeat_interval: interval,
            // It answers no heartbeats.
            lease: Some(convert::duration_to_wire(Duration::from_secs(600))),
            cluster_id,
            epoch,
            term,
            registries,
            observe: false,
        };
        self.send(Down::Welcome(welcome)).await;
    }

    async fn assign(&self, spec: &ProcessSpec, generation: u64, term: u64) {
        let assignment = v1::Assignment {
            instance_id: format!("{}-1", spec.name),
            index: 1,
            generation,
            spec: Some(convert::spec_to_wire(spec)),
            wanted: true,
            ..v1::Assignment::default()
        };
        let update = v1::AssignmentUpdate { full: true, set: vec![assignment], term, ..Default::default() };
        self.send(Down::Assignments(update)).await;
    }

    /// The next report of this kind; confirms what it hears.
    async fn report(&mut self, what: &str, is_it: impl Fn(&v1::InstanceReport) -> bool) -> v1::InstanceReport {
        let heard = async {
            loop {
                let said = self.up().await.expect("the runner ended the session");
                let Up::Report(report) = said else { continue };
                self.send(Down::ReportAck(v1::ReportAck { seq: report.seq })).await;
                if let Some(instance) = report.instances.into_iter().find(&is_it) {
                    return instance;
                }
            }
        };
        tokio::time::timeout(PATIENCE, heard).await.unwrap_or_else(|_| panic!("{what} is not reported"))
    }
}

/// A runner before three replicas.
struct Stage {
    node: Node,
    talks: mpsc::Receiver<Talk>,
    replicas: Vec<(String, Replica)>,
    closed: CancellationToken,
}

impl Stage {
    async fn set() -> Self {
        let (sender, talks) = mpsc::channel(4);
        let closed = CancellationToken::new();
        let mut replicas = Vec::new();
        for number in 0..3 {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = format!("http://{}", listener.local_addr().unwrap());
            let (talks, leader, refused) = (sender.clone(), Arc::default(), Arc::default());
            let replica = Replica { number, talks, leader, refused };
            let host = GrpcHost::new(pm_proto::DESCRIPTORS)
                .token(Secret::new("test-token").unwrap())
                .service(RunnerSessionServiceServer::new(replica.clone()));
            tokio::spawn(host.serve(Incoming::Tcp(listener), closed.clone()));
            replicas.push((address, replica));
        }
        Self { node: Node::new().await, talks, replicas, closed }
    }

    fn address(&self, number: usize) -> String {
        self.replicas[number].0.clone()
    }

    fn addresses(&self) -> Vec<String> {
        self.replicas.iter().map(|(address, _)| address.clone()).collect()
    }

    fn start(&mut self, registries: &str) {
        let command = self.node.command();
        let mut ours = Command::new(command.get_program());
        let mut args = command.get_args();
        while let Some(arg) = args.next() {
            ours.arg(arg);
            if arg == "--registry" {
                args.next();
                ours.arg(registries);
            }
        }
        let log = std::fs::OpenOptions::new().create(true).append(true).open(self.node.path("log")).unwrap();
        self.node.runner = Some(ours.stderr(log).spawn().unwrap());
    }

    async fn talk(&mut self) -> Talk {
        tokio::time::timeout(PATIENCE, self.talks.recv()).await.expect("the runner does not call").unwrap()
    }

    /// The next talk with this replica; others are hung up.
    async fn talk_with(&mut self, number: usize) -> Talk {
        let found = async {
            loop {
                let talk = self.talk().await;
                if talk.with == number {
                    return talk;
                }
            }
        };
        tokio::time::timeout(PATIENCE, found).await.expect("the runner does not call this replica")
    }

    async fn logs(&self, text: &str) {
        let wait = async {
            let mut tick = tokio::time::interval(Duration::from_millis(20));
            while !std::fs::read_to_string(self.node.path("log")).unwrap_or_default().contains(text) {
                tick.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("{text:?} is not logged"));
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.closed.cancel();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn n08_what_a_replaced_leader_says_has_no_effect_even_after_the_runner_was_killed() {
    let mut stage = Stage::set().await;
    let (both, old) = (stage.addresses()[..2].to_vec(), stage.address(1));
    stage.start(&stage.address(0));
    let spec = sh(&stage.node, "web", "exec sleep 1000");
    let mut talk = stage.talk().await;
    assert_eq!((talk.hello.epoch, talk.hello.term), (0, 0));
    talk.welcome(0, 5, &both).await;
    talk.assign(&spec, 1, 5).await;
    let pid = talk.report("its start", |instance| instance.pid != 0).await.pid;
    drop(talk);

    // The other one leads an earlier term, and would stop everything.
    let talk = stage.talk_with(1).await;
    assert_eq!((talk.hello.epoch, talk.hello.term), (0, 5));
    talk.welcome(0, 4, &[]).await;
    talk.send(Down::Assignments(v1::AssignmentUpdate { full: true, ..Default::default() })).await;
    talk.until_left().await;
    stage.logs("refused what a replaced leader").await;

    // The next runner knows only the old one; and from its journal both, and whom it has obeyed.
    stage.node.kill_runner();
    stage.start(&old);
    let talk = stage.talk_with(1).await;
    assert_eq!(talk.hello.term, 5, "forgotten with the runner");
    talk.welcome(0, 4, &[]).await;
    talk.until_left().await;
    let talk = stage.talk_with(0).await;
    talk.welcome(0, 6, &both).await;
    // Within a session too: an order of an earlier term ends it.
    let order = |term| v1::ActionOrder {
        action_id: "a".into(),
        verb: v1::ActionVerb::Stop.into(),
        instance_id: "web-1".into(),
        term,
        ..Default::default()
    };
    talk.send(Down::Action(order(5))).await;
    talk.until_left().await;
    let talk = stage.talk_with(0).await;
    assert_eq!(talk.hello.term, 6);
    talk.welcome(0, 6, &both).await;
    talk.send(Down::Assignments(v1::AssignmentUpdate { full: true, term: 5, ..Default::default() })).await;
    talk.until_left().await;
    assert!(is_alive(pid), "an order of a replaced leader was carried out");

    // A higher epoch outranks every term, and is obeyed.
    let mut talk = stage.talk_with(0).await;
    talk.welcome(1, 1, &both).await;
    talk.send(Down::Assignments(v1::AssignmentUpdate { full: true, term: 1, ..Default::default() })).await;
    talk.report("its end", |instance| instance.gone).await;
    assert!(!is_alive(pid));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_does_not_lead_is_asked_once_and_names_who_does() {
    let mut stage = Stage::set().await;
    let (leader, list) = (stage.address(1), stage.addresses().join(","));
    *stage.replicas[0].1.leader.lock().unwrap() = Some(leader);
    stage.start(&list);
    let talk = stage.talk().await;
    assert_eq!(talk.with, 1);
    assert_eq!(stage.replicas[0].1.refused.load(Ordering::SeqCst), 1);
    // The leader steps down in the middle of the session, and says who is next.
    talk.welcome(0, 1, &[]).await;
    *stage.replicas[0].1.leader.lock().unwrap() = None;
    let named = [("leader", stage.address(0))];
    let named: Vec<(&str, &str)> = named.iter().map(|(key, value)| (*key, value.as_str())).collect();
    let over = status(Code::Unavailable, reason::NO_LEADER, "another leads", &named);
    talk.down.send(Err(over)).await.unwrap();
    let talk = stage.talk().await;
    assert_eq!(talk.with, 0, "the hint was not followed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_with_a_dead_replica_first_is_no_obstacle() {
    let mut stage = Stage::set().await;
    let dead = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let list = format!("http://{},{}", dead.local_addr().unwrap(), stage.address(1));
    drop(dead);
    stage.start(&list);
    assert_eq!(stage.talk().await.with, 1);
}
