//! Answers from memory: samples and metrics.

use super::{fault, selectors};
use crate::driver::Driver;
use crate::metrics::text;
use pm_proto::convert::timestamp_from_wire;
use pm_proto::error::{reason, status};
use pm_proto::v1;
use pm_proto::v1::sample_service_server::SampleService;
use process_model::InstanceId;
use service_host::metrics::Metrics;
use std::sync::Arc;
use tonic::{Code, Request, Response, Status};

#[derive(Debug)]
pub(crate) struct SamplesApi {
    driver: Arc<Driver>,
    metrics: Metrics,
}

impl SamplesApi {
    pub(crate) fn new(driver: Arc<Driver>, metrics: Metrics) -> Self {
        Self { driver, metrics }
    }
}

#[tonic::async_trait]
impl SampleService for SamplesApi {
    async fn list_latest_samples(
        &self,
        request: Request<v1::ListLatestSamplesRequest>,
    ) -> Result<Response<v1::ListLatestSamplesResponse>, Status> {
        let latest = self.driver.latest(&selectors(&request.into_inner().selectors)?);
        Ok(Response::new(v1::ListLatestSamplesResponse {
            instances: latest.instances.iter().map(Into::into).collect(),
            nodes: latest.nodes.iter().map(Into::into).collect(),
        }))
    }

    async fn list_instance_samples(
        &self,
        request: Request<v1::ListInstanceSamplesRequest>,
    ) -> Result<Response<v1::ListInstanceSamplesResponse>, Status> {
        let request = request.into_inner();
        let id: InstanceId = request
            .instance_id
            .parse()
            .map_err(|error| fault("instance_id", format!("{error}"), "write an instance's id"))?;
        let since = request.since.as_ref().map(|since| timestamp_from_wire("since", since)).transpose()?;
        let samples = self.driver.instance_since(&id, since).ok_or_else(|| {
            let text = id.to_string();
            let message = format!("no samples of {text} are kept");
            status(Code::NotFound, reason::NOT_FOUND, message, &[("instance_id", &text)])
        })?;
        Ok(Response::new(v1::ListInstanceSamplesResponse { samples: samples.iter().map(Into::into).collect() }))
    }

    async fn get_metrics_text(
        &self,
        _: Request<v1::GetMetricsTextRequest>,
    ) -> Result<Response<v1::GetMetricsTextResponse>, Status> {
        Ok(Response::new(v1::GetMetricsTextResponse {
            content_type: text::CONTENT_TYPE.to_owned(),
            text: text::from_open_metrics(&self.metrics.encode()),
        }))
    }
}
