//! The operations port, as probers and scrapers see it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test may fail loudly")]

use std::time::{Duration, Instant};

use futures::StreamExt;
use prometheus_client::metrics::gauge::Gauge;
use service_host::metrics::{CONTENT_TYPE, Metrics};
use service_host::ops::{self, OpsState, Readiness};
use service_host::server::STOP_GRACE;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

struct Ops {
    address: std::net::SocketAddr,
    ready: watch::Sender<Readiness>,
    metrics: Metrics,
    shutdown: CancellationToken,
    serving: JoinHandle<Result<(), service_host::server::ServeError>>,
}

async fn start() -> Ops {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (ready, readiness) = ops::readiness();
    let metrics = Metrics::new("example-svc");
    let shutdown = CancellationToken::new();
    let state = OpsState { metrics: metrics.clone(), ready: readiness };
    let serving = tokio::spawn(ops::serve(listener, state, shutdown.clone()));
    Ops { address, ready, metrics, shutdown, serving }
}

impl Ops {
    async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream
            .write_all(format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").as_bytes())
            .await
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn stop(self) -> Duration {
        let started = Instant::now();
        self.shutdown.cancel();
        self.serving.await.unwrap().unwrap();
        started.elapsed()
    }
}

#[tokio::test]
async fn healthz_is_ok_and_readyz_follows_the_service() {
    let ops = start().await;
    assert!(ops.get("/healthz").await.starts_with("HTTP/1.1 200"));
    let starting = ops.get("/readyz").await;
    assert!(starting.starts_with("HTTP/1.1 503") && starting.contains("not ready: starting"), "{starting}");
    ops.ready.send_replace(Readiness::Ready);
    assert!(ops.get("/readyz").await.starts_with("HTTP/1.1 200"));
    ops.ready.send_replace(Readiness::NotReady("no leader".into()));
    assert!(ops.get("/readyz").await.contains("not ready: no leader"));
    assert!(ops.get("/healthz").await.starts_with("HTTP/1.1 200"), "liveness is not readiness");
    let unknown = ops.get("/nothing").await;
    assert!(unknown.starts_with("HTTP/1.1 404") && unknown.contains("/metrics"), "{unknown}");
    ops.stop().await;
}

#[tokio::test]
async fn metrics_are_openmetrics_text() {
    let ops = start().await;
    let gauge: Gauge = Gauge::default();
    ops.metrics.register("pm_things", "Things there are", gauge.clone());
    gauge.set(7);
    let answer = ops.get("/metrics").await;
    assert!(answer.contains(&format!("content-type: {CONTENT_TYPE}")), "{answer}");
    assert!(answer.contains("pm_things 7\n") && answer.contains("process_resident_memory_bytes "), "{answer}");
    assert!(answer.contains("# EOF"), "{answer}");
    ops.stop().await;
}

#[tokio::test]
async fn grpc_health_follows_the_readiness_on_the_same_port_without_a_token() {
    let ops = start().await;
    let channel = tonic::transport::Endpoint::from_shared(format!("http://{}", ops.address)).unwrap().connect_lazy();
    let mut health = HealthClient::new(channel);
    let mut watch = health.watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    // The first answer may come before the readiness was first looked at.
    let mut next = async || watch.next().await.map(|answer| answer.unwrap().status);
    while next().await != Some(2) {}
    ops.ready.send_replace(Readiness::Ready);
    assert_eq!(next().await, Some(1));
    let took = ops.stop().await;
    assert!(took < STOP_GRACE, "{took:?}");
    assert_eq!(next().await, Some(2));
    assert_eq!(next().await, None);
}

#[tokio::test]
async fn a_silent_client_does_not_hold_up_the_stop() {
    let ops = start().await;
    let mut half = TcpStream::connect(ops.address).await.unwrap();
    half.write_all(b"GET /healthz HTTP/1.1\r\nHost:").await.unwrap();
    assert!(ops.get("/healthz").await.starts_with("HTTP/1.1 200"));
    let took = ops.stop().await;
    assert!(took < STOP_GRACE + Duration::from_secs(15), "{took:?}");
}
