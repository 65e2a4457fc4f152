//! A gateway before several registries.

use crate::support::{ADMIN, FakeRegistry, Rig, SERVICE, soon};
use pm_proto::error::{reason, reason_of};
use pm_proto::v1;
use pm_proto::v1::process_service_client::ProcessServiceClient;
use pm_proto::v1::process_service_server::ProcessServiceServer;
use service_host::secret::Secret;
use service_host::server::GrpcHost;
use service_host::transport::{Dial, Incoming};
use std::net::SocketAddr;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tonic::Code;

/// A registry on a runtime of its own, which can end as `kill -9` ends one: with
/// all its connections, in the middle of whatever it does.
struct Replica {
    address: String,
    registry: FakeRegistry,
    runtime: Option<Runtime>,
}

impl Replica {
    fn start(registry: FakeRegistry) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let serves = registry.clone();
        runtime.spawn(async move {
            let incoming = Incoming::Tcp(tokio::net::TcpListener::from_std(listener).unwrap());
            let host = GrpcHost::new(&[]).token(Secret::new(SERVICE).unwrap());
            host.service(ProcessServiceServer::new(serves)).serve(incoming, CancellationToken::new()).await
        });
        Self { address, registry, runtime: Some(runtime) }
    }

    fn kill(&mut self) {
        self.runtime.take().unwrap().shutdown_background();
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn two() -> (Replica, Replica, Dial) {
    let first = Replica::start(FakeRegistry::default());
    let shared = crate::support::Memory { stops: first.registry.0.stops.clone(), ..Default::default() };
    let second = Replica::start(FakeRegistry(std::sync::Arc::new(shared)));
    let dial = Dial::Cluster(format!("{},{}", first.address, second.address).parse().unwrap());
    (first, second, dial)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_leader_that_is_killed_under_eight_clients_is_seen_by_none_and_every_change_is_made_once() {
    const CLIENTS: usize = 8;
    const CALLS: usize = 60;
    let (mut first, second, dial) = two();
    *second.registry.0.leader.lock().unwrap() = Some(first.address.clone());
    let rig = Rig::before(dial).await;
    let killed = CancellationToken::new();
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let mut processes = ProcessServiceClient::new(rig.grpc(ADMIN).await);
        let (address, killed) = (rig.address, killed.clone());
        clients.spawn(async move {
            for call in 0..CALLS {
                if call == CALLS / 2 {
                    // However late it comes, it comes before all is done.
                    soon("the kill", killed.cancelled()).await;
                }
                let name = format!("{client}-{call}");
                // Half of them over HTTP.
                if client % 2 == 0 {
                    stop_over_http(address, &name).await;
                    continue;
                }
                let request = v1::StopProcessesRequest { selectors: vec![name], ..Default::default() };
                soon("a stop", processes.stop_processes(request)).await.unwrap_or_else(|error| {
                    panic!("client {client} saw an error at call {call}: {error:?}");
                });
            }
        });
    }
    let done = || first.registry.0.stops.lock().unwrap().len();
    soon("a quarter of the changes", async {
        while done() < CLIENTS * CALLS / 4 {
            tokio::task::yield_now().await;
        }
    })
    .await;
    *second.registry.0.leader.lock().unwrap() = None;
    first.kill();
    killed.cancel();
    while let Some(client) = soon("a client's end", clients.join_next()).await {
        client.unwrap();
    }
    let stops = second.registry.0.stops.lock().unwrap().clone();
    let mut names: Vec<_> = stops.values().flatten().collect();
    names.sort();
    let all = names.len();
    names.dedup();
    assert_eq!((all, names.len()), (CLIENTS * CALLS, CLIENTS * CALLS), "a change was made twice, or not at all");
}

async fn stop_over_http(address: SocketAddr, name: &str) {
    let ask = crate::support::Ask::new(address, "POST", "/api/v1/processes:stop");
    let ask = ask.header("authorization", &format!("Bearer {ADMIN}"));
    let answer = ask.send_json(format!(r#"{{"selectors":["{name}"]}}"#)).await;
    assert_eq!(answer.status.as_u16(), 200, "{answer:?}");
}

#[tokio::test]
async fn a_message_over_four_mebibytes_is_refused_with_its_size_before_several_registries_too() {
    let (first, _second, dial) = two();
    let rig = Rig::before(dial).await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let apply = |bytes: usize| {
        let spec = v1::ProcessSpec { name: "x".repeat(bytes), ..Default::default() };
        v1::ApplyProcessesRequest { specs: vec![spec], ..Default::default() }
    };
    for bytes in [5 << 20, 10 << 20] {
        let status = soon("the refusal", client.apply_processes(apply(bytes))).await.unwrap_err();
        assert_eq!(reason_of(&status).as_deref(), Some(reason::REQUEST_TOO_LARGE), "{status:?}");
    }
    assert!(first.registry.0.applied.lock().unwrap().is_none());
    soon("the change", client.apply_processes(apply(1 << 20))).await.unwrap();
    assert!(first.registry.0.applied.lock().unwrap().is_some());
}

#[tokio::test]
async fn a_refusal_of_all_replicas_and_their_absence_are_told_apart() {
    let (mut first, mut second, dial) = two();
    for replica in [&first, &second] {
        *replica.registry.0.leader.lock().unwrap() = Some(String::new());
    }
    let rig = Rig::before(dial.clone()).await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let mut why = String::new();
    // The last attempt may run into the deadline, on a machine that is busy.
    for _ in 0..5 {
        let mut request = tonic::Request::new(v1::StopProcessesRequest::default());
        // By hand: tonic's own `set_timeout` would end it on the client's side.
        request.metadata_mut().insert("grpc-timeout", "400m".parse().unwrap());
        let status = soon("the refusal", client.stop_processes(request)).await.unwrap_err();
        why = reason_of(&status).unwrap_or_default();
        if why != reason::DEADLINE_EXCEEDED {
            break;
        }
    }
    assert_eq!(why, reason::NO_LEADER);
    first.kill();
    second.kill();
    // Threads of their own close their sockets, in a moment.
    for address in [&first.address, &second.address] {
        let place = address.strip_prefix("http://").unwrap();
        soon("its end", async { while TcpStream::connect(place).await.is_ok() {} }).await;
    }
    // A gateway that never met anybody says at once whom it tried.
    let rig = Rig::before(dial).await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let status = soon("the refusal", client.list_processes(v1::ListProcessesRequest::default())).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status)), (Code::Unavailable, Some(reason::BACKEND_UNAVAILABLE.into())));
    for address in [&first.address, &second.address] {
        assert!(status.message().contains(address.as_str()), "{status:?}");
    }
}
