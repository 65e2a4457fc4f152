//! A monitor with one log and one metric.

use futures::StreamExt as _;
use futures::stream::BoxStream;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::read_logs_response::Frame;
use tonic::{Code, Request, Response, Status};

#[derive(Clone)]
pub(crate) struct FakeMonitor;

#[tonic::async_trait]
impl v1::log_service_server::LogService for FakeMonitor {
    type ReadLogsStream = BoxStream<'static, Result<v1::ReadLogsResponse, Status>>;

    async fn read_logs(&self, request: Request<v1::ReadLogsRequest>) -> Result<Response<Self::ReadLogsStream>, Status> {
        let request = request.into_inner();
        if request.selectors != ["web-1"] {
            return Err(status(Code::NotFound, reason::NOT_FOUND, "no such instance", &[]));
        }
        let text = format!("tail {:?} stream {} follow {}\n", request.tail, request.stream, request.follow);
        let chunk =
            v1::LogChunk { instance_id: "web-1".to_owned(), data: text.into(), offset: 5, ..Default::default() };
        let end = v1::LogEnd { instance_id: "web-1".to_owned(), ..Default::default() };
        let frames = [Frame::Chunk(chunk), Frame::End(end)];
        let frames = frames.map(|frame| Ok(v1::ReadLogsResponse { frame: Some(frame) }));
        Ok(Response::new(futures::stream::iter(frames).boxed()))
    }
}

#[tonic::async_trait]
impl v1::sample_service_server::SampleService for FakeMonitor {
    async fn list_latest_samples(
        &self,
        _: Request<v1::ListLatestSamplesRequest>,
    ) -> Result<Response<v1::ListLatestSamplesResponse>, Status> {
        Ok(Response::new(v1::ListLatestSamplesResponse::default()))
    }

    async fn list_instance_samples(
        &self,
        request: Request<v1::ListInstanceSamplesRequest>,
    ) -> Result<Response<v1::ListInstanceSamplesResponse>, Status> {
        let request = request.into_inner();
        let sample = v1::InstanceSample { instance_id: request.instance_id, time: request.since, ..Default::default() };
        Ok(Response::new(v1::ListInstanceSamplesResponse { samples: vec![sample] }))
    }

    async fn get_metrics_text(
        &self,
        _: Request<v1::GetMetricsTextRequest>,
    ) -> Result<Response<v1::GetMetricsTextResponse>, Status> {
        let content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8".to_owned();
        Ok(Response::new(v1::GetMetricsTextResponse { content_type, text: "pm_up 1\n# EOF\n".to_owned() }))
    }
}
