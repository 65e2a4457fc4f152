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
    let mut clients = tokio::task::JoinSet::new();
    for client in 0..CLIENTS {
        let mut processes = ProcessServiceClient::new(rig.grpc(ADMIN).await);
        let address = rig.address;
        clients.spawn(async move {
            for call in 0..CALLS {
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
    while done() < CLIENTS * CALLS / 4 {
        tokio::task::yield_now().await;
    }
    let before = done();
    *second.registry.0.leader.lock().unwrap() = None;
    first.kill();
    while let Some(client) = clients.join_next().await {
        client.unwrap();
    }
    let stops = second.registry.0.stops.lock().unwrap().clone();
    assert!(before < CLIENTS * CALLS, "it was killed too late");
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
async fn a_refusal_of_all_replicas_and_their_absence_are_told_apart() {
    let (mut first, mut second, dial) = two();
    for replica in [&first, &second] {
        *replica.registry.0.leader.lock().unwrap() = Some(String::new());
    }
    let rig = Rig::before(dial.clone()).await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let within = || {
        let mut request = tonic::Request::new(v1::StopProcessesRequest::default());
        request.set_timeout(std::time::Duration::from_millis(400));
        request
    };
    let status = client.stop_processes(within()).await.unwrap_err();
    assert_eq!(reason_of(&status).as_deref(), Some(reason::NO_LEADER), "{status:?}");
    first.kill();
    second.kill();
    // A gateway that never met anybody says at once whom it tried.
    let rig = Rig::before(dial).await;
    let mut client = ProcessServiceClient::new(rig.grpc(ADMIN).await);
    let status = soon("the refusal", client.list_processes(v1::ListProcessesRequest::default())).await.unwrap_err();
    assert_eq!((status.code(), reason_of(&status)), (Code::Unavailable, Some(reason::BACKEND_UNAVAILABLE.into())));
    for address in [&first.address, &second.address] {
        assert!(status.message().contains(address.as_str()), "{status:?}");
    }
}
