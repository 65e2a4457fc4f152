//! A monitor in memory, and a runner that says what a test wants it to say.

#![allow(dead_code, unreachable_pub)] // Each test file is a crate of its own and uses its part.

use monitor_svc::{Monitor, Options};
use pm_proto::convert::timestamp_to_wire;
use pm_proto::v1;
use pm_proto::v1::log_service_client::LogServiceClient;
use pm_proto::v1::monitor_intake_service_client::MonitorIntakeServiceClient;
use pm_proto::v1::read_logs_response::Frame;
use pm_proto::v1::run_intake_request::Message as Up;
use pm_proto::v1::run_intake_response::Message as Down;
use pm_proto::v1::sample_service_client::SampleServiceClient;
use process_model::Timestamp;
use service_host::client::{ServiceChannel, service_channel};
use service_host::secret::Secret;
use service_host::transport::{Dial, Incoming, memory};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Status, Streaming};

/// Nothing here takes long; a test that waits longer has failed.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("waited in vain for {what}"))
}

pub struct World {
    pub monitor: Monitor,
    pub shutdown: CancellationToken,
    pub served: tokio::task::JoinHandle<()>,
    dial: Dial,
    token: Secret,
}

impl World {
    pub fn start() -> Self {
        let token = Secret::generate();
        let monitor = Monitor::new(Options::new(token.clone()));
        let (connector, incoming) = memory();
        let shutdown = CancellationToken::new();
        let (serving, stop) = (monitor.clone(), shutdown.clone());
        let served = tokio::spawn(async move {
            serving.serve(Incoming::Memory(incoming), stop).await.unwrap();
        });
        Self { monitor, shutdown, served, dial: Dial::Memory(connector), token }
    }

    pub fn channel(&self) -> ServiceChannel {
        service_channel(&self.dial, &self.token).unwrap()
    }

    pub fn samples(&self) -> SampleServiceClient<ServiceChannel> {
        SampleServiceClient::new(self.channel())
    }

    pub fn logs(&self) -> LogServiceClient<ServiceChannel> {
        LogServiceClient::new(self.channel())
    }

    /// A runner that has said hello.
    pub async fn runner(&self, node: &str) -> Runner {
        let runner = self.silent_runner().await;
        runner.say(Up::Hello(v1::IntakeHello { node: node.into() })).await;
        runner
    }

    pub async fn silent_runner(&self) -> Runner {
        let (up, requests) = mpsc::channel(16);
        let mut client = MonitorIntakeServiceClient::new(self.channel());
        let down = client.run_intake(ReceiverStream::new(requests)).await.unwrap().into_inner();
        Runner { up, down }
    }

    pub async fn metrics(&self) -> String {
        let request = v1::GetMetricsTextRequest {};
        self.samples().get_metrics_text(request).await.unwrap().into_inner().text
    }

    /// What a runner says is taken in some time after it was sent: asks until
    /// the metrics show it.
    pub async fn shows(&self, line: &str) {
        let asking = async {
            while !self.metrics().await.lines().any(|shown| shown == line) {
                tokio::task::yield_now().await;
            }
        };
        soon(line, asking).await;
    }

    pub async fn read(&self, selector: &str, follow: bool) -> Streaming<v1::ReadLogsResponse> {
        self.try_read(&[selector], follow).await.unwrap()
    }

    pub async fn try_read(&self, selectors: &[&str], follow: bool) -> Result<Streaming<v1::ReadLogsResponse>, Status> {
        let selectors = selectors.iter().map(|&text| text.into()).collect();
        let request = v1::ReadLogsRequest { selectors, follow, ..Default::default() };
        Ok(self.logs().read_logs(request).await?.into_inner())
    }
}

pub struct Runner {
    pub up: mpsc::Sender<v1::RunIntakeRequest>,
    pub down: Streaming<v1::RunIntakeResponse>,
}

impl Runner {
    pub async fn say(&self, message: Up) {
        soon("the monitor to listen", self.up.send(v1::RunIntakeRequest { message: Some(message) })).await.unwrap();
    }

    pub async fn has(&self, ids: &[&str]) {
        let items = ids
            .iter()
            .map(|id| v1::InventoryItem { instance_id: (*id).into(), process: id.rsplit_once('-').unwrap().0.into() })
            .collect();
        self.say(Up::Inventory(v1::Inventory { items })).await;
    }

    pub async fn hears(&mut self) -> Down {
        soon("the monitor to say something", self.down.message()).await.unwrap().unwrap().message.unwrap()
    }

    pub async fn hears_request(&mut self) -> v1::TailRequest {
        match self.hears().await {
            Down::Tail(request) => request,
            other => panic!("expected a tail request, got {other:?}"),
        }
    }

    pub async fn hears_cancel(&mut self) -> u64 {
        match self.hears().await {
            Down::Cancel(cancel) => cancel.request_id,
            other => panic!("expected a cancel, got {other:?}"),
        }
    }

    /// The status that ends the session.
    pub async fn dismissed(&mut self) -> Status {
        loop {
            match soon("the session to end", self.down.message()).await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the session ended without a word"),
                Err(status) => return status,
            }
        }
    }

    pub async fn sends(&self, request: &v1::TailRequest, stream: v1::LogStream, offset: u64, data: &[u8]) {
        self.say(chunk(request, stream, offset, data)).await;
    }

    pub async fn ends(&self, request: &v1::TailRequest, stream: v1::LogStream, error: &str) {
        let end = v1::LogEnd { instance_id: request.instance_id.clone(), stream: stream.into(), error: error.into() };
        self.say(Up::TailEnd(v1::TailEnd { request_id: request.request_id, end: Some(end) })).await;
    }
}

pub fn chunk(request: &v1::TailRequest, stream: v1::LogStream, offset: u64, data: &[u8]) -> Up {
    let chunk = v1::LogChunk {
        instance_id: request.instance_id.clone(),
        stream: stream.into(),
        offset,
        data: bytes::Bytes::copy_from_slice(data),
        cursor: format!("{}/stdout/l1.{offset:x}", request.instance_id),
        ..v1::LogChunk::default()
    };
    Up::TailChunk(v1::TailChunk { request_id: request.request_id, chunk: Some(chunk) })
}

/// The next frame of a read; `None` at its end.
pub async fn frame(read: &mut Streaming<v1::ReadLogsResponse>) -> Option<Frame> {
    soon("a frame", read.message()).await.unwrap().map(|response| response.frame.unwrap())
}

pub fn sample(id: &str, node: &str, seconds: i64) -> v1::InstanceSample {
    v1::InstanceSample {
        instance_id: id.into(),
        process: id.rsplit_once('-').unwrap().0.into(),
        node: node.into(),
        time: Some(timestamp_to_wire(Timestamp::from_parts(seconds, 0))),
        cpu_seconds: 1.5,
        cpu_percent: 12.5,
        memory_bytes: 4096,
        threads: 3,
        open_files: 7,
        uptime_seconds: 60.0,
        processes: 2,
        restarts: 4,
        pid: 4242,
    }
}

pub fn round(instances: Vec<v1::InstanceSample>, node: &str, seconds: i64) -> Up {
    let of_node = v1::NodeSample {
        node: node.into(),
        time: Some(timestamp_to_wire(Timestamp::from_parts(seconds, 0))),
        cpu_percent: 50.0,
        memory_used_bytes: 1024,
        memory_total_bytes: 2048,
        load1: 0.5,
        uptime_seconds: 100,
    };
    Up::Samples(v1::SampleBatch { instances, node: Some(of_node) })
}
