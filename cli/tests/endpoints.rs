//! The program and several gateways: whichever answers is asked, and when none
//! does, each is named with its reason.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use pm_proto::v1;
use pm_proto::v1::node_service_server::{NodeService, NodeServiceServer};
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::Incoming;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

const TOKEN: &str = "a-token-of-the-administrator-0123456789";

/// What a gateway that does not answer may cost beside one that does.
const NOT_FELT: Duration = Duration::from_millis(100);

/// As much of a gateway as `pmctl nodes` needs.
struct Gateway;

#[tonic::async_trait]
impl NodeService for Gateway {
    async fn list_nodes(&self, _: Request<v1::ListNodesRequest>) -> Result<Response<v1::ListNodesResponse>, Status> {
        let node = v1::Node { name: "node-a".to_owned(), state: v1::NodeState::Ready.into(), ..Default::default() };
        Ok(Response::new(v1::ListNodesResponse { nodes: vec![node], revision: 1, ..Default::default() }))
    }

    async fn release_brake(
        &self,
        _: Request<v1::ReleaseBrakeRequest>,
    ) -> Result<Response<v1::ReleaseBrakeResponse>, Status> {
        Ok(Response::new(v1::ReleaseBrakeResponse::default()))
    }
    async fn get_node(&self, _: Request<v1::GetNodeRequest>) -> Result<Response<v1::GetNodeResponse>, Status> {
        Err(not_here())
    }

    async fn set_node_schedulable(
        &self,
        _: Request<v1::SetNodeSchedulableRequest>,
    ) -> Result<Response<v1::SetNodeSchedulableResponse>, Status> {
        Err(not_here())
    }

    async fn drain_node(&self, _: Request<v1::DrainNodeRequest>) -> Result<Response<v1::DrainNodeResponse>, Status> {
        Err(not_here())
    }

    async fn label_node(&self, _: Request<v1::LabelNodeRequest>) -> Result<Response<v1::LabelNodeResponse>, Status> {
        Err(not_here())
    }

    async fn remove_node(&self, _: Request<v1::RemoveNodeRequest>) -> Result<Response<v1::RemoveNodeResponse>, Status> {
        Err(not_here())
    }

    async fn get_placement(
        &self,
        _: Request<v1::GetPlacementRequest>,
    ) -> Result<Response<v1::GetPlacementResponse>, Status> {
        Err(not_here())
    }
}

/// What these tests do not ask for.
fn not_here() -> Status {
    Status::unimplemented("not of this gateway")
}

async fn gateway() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let host = GrpcHost::new(&[]).token(Secret::new(TOKEN).unwrap()).service(NodeServiceServer::new(Gateway));
    tokio::spawn(host.serve(Incoming::Tcp(listener), CancellationToken::new()));
    address
}

/// A port that refuses, and that nobody else gets: it is taken, and nobody listens.
fn refusing() -> (String, TcpSocket) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (format!("http://{}", socket.local_addr().unwrap()), socket)
}

/// A port that neither takes nor refuses: its queue is full.
async fn black_hole() -> (String, TcpListener, Vec<TcpStream>) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut queued = Vec::new();
    while let Ok(connected) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(address)).await {
        queued.push(connected.unwrap());
        assert!(queued.len() < 64, "the queue does not fill");
    }
    (format!("http://{address}"), listener, queued)
}

async fn pmctl(endpoint: &str) -> (Output, Duration) {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR"));
    let token = dir.join("endpoints.token");
    let mut command = Command::new(env!("CARGO_BIN_EXE_pmctl"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("PM_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    command.args(["--endpoint", endpoint, "--state-dir"]).arg(dir.join("endpoints-state"));
    command.arg("--token-file").arg(token).arg("nodes");
    tokio::task::spawn_blocking(move || {
        let began = Instant::now();
        (command.output().unwrap(), began.elapsed())
    })
    .await
    .unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[&output.stdout[..], &output.stderr[..]].concat()).into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_of_gateways_is_as_good_as_the_best_of_it() {
    let token = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("endpoints.token");
    let _ = std::fs::remove_file(&token);
    Secret::new(TOKEN).unwrap().write_new(&token).unwrap();
    let (alive, (refused, _refuses)) = (gateway().await, refusing());
    let (hole, _listener, _queued) = black_hole().await;

    let asked = async |endpoint: &str| {
        let (output, took) = pmctl(endpoint).await;
        assert!(output.status.success() && said(&output).contains("node-a"), "{output:?}");
        took
    };
    for dead in [&hole, &refused] {
        // The best of some, taken in turn, and of more where they differ: another program's work must not decide.
        let list = format!("{dead},{alive}");
        let (mut alone, mut took) = (Duration::MAX, Duration::MAX);
        for round in 0..40 {
            alone = alone.min(asked(&alive).await);
            took = took.min(asked(&list).await);
            if round >= 7 && took <= alone + NOT_FELT {
                break;
            }
        }
        println!("{dead} first: {took:?}, without it {alone:?}");
        assert!(took <= alone + NOT_FELT, "{took:?} instead of {alone:?}");
    }

    // When nobody answers, each is named with its reason, and nobody has waited for it.
    let (other, _refuses_too) = refusing();
    let (output, took) = pmctl(&format!("{refused},{other}")).await;
    let text = said(&output);
    assert_eq!(output.status.code(), Some(8), "{text}");
    for (address, not) in [(&refused, &other), (&other, &refused)] {
        let line = text.lines().find(|line| line.contains(address.as_str())).expect(&text);
        assert!(line.contains("refused") && !line.contains(not.as_str()), "each has a line of its own: {text}");
    }
    assert!(text.contains("--endpoint") && took < Duration::from_secs(15), "{text} after {took:?}");

    // A bad list is refused by name before anything is tried.
    for (list, named) in [
        (format!("{alive},nonsense"), "nonsense"),
        (format!("{alive},{alive}"), "twice"),
        (format!("{alive},"), "address 2"),
        (format!("https://127.0.0.1:1,{alive}"), "another kind"),
        ("https://127.0.0.1:1".to_owned(), "--ca"),
    ] {
        let (output, _) = pmctl(&list).await;
        let text = said(&output);
        assert_eq!(output.status.code(), Some(2), "{list}: {text}");
        assert!(text.contains(named) && !text.contains("node-a"), "{list}: {text}");
    }
}
