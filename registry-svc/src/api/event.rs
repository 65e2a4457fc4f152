//! Events and the audit log.

use super::watch::Watch;
use super::{audit, event_list};
use crate::core::Core;
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use pm_proto::v1;
use pm_proto::v1::event_service_server::EventService;
use prost::Message;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(super) struct Api {
    pub(super) registry: Arc<Core>,
    pub(super) shutdown: CancellationToken,
}

#[tonic::async_trait]
impl EventService for Api {
    type WatchEventsStream = BoxStream<'static, Result<v1::WatchEventsResponse, Status>>;

    /// The generated service asks for messages. The one that is served sends the
    /// bytes as they are, see [`super::watch`].
    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let watch = Watch::begin(self.registry.clone(), self.shutdown.clone(), request.into_inner()).await?;
        let message =
            |frame: Bytes| v1::WatchEventsResponse::decode(frame).map_err(|error| Status::internal(error.to_string()));
        Ok(Response::new(watch.frames().map(move |frame| frame.and_then(message)).boxed()))
    }

    async fn list_events(
        &self,
        request: Request<v1::ListEventsRequest>,
    ) -> Result<Response<v1::ListEventsResponse>, Status> {
        event_list::list(&self.registry, request.into_inner()).await.map(Response::new)
    }

    async fn list_audit_entries(
        &self,
        request: Request<v1::ListAuditEntriesRequest>,
    ) -> Result<Response<v1::ListAuditEntriesResponse>, Status> {
        audit::list(&self.registry, request.into_inner()).await.map(Response::new)
    }

    type ReadAuditLogStream = audit::Frames;

    async fn read_audit_log(
        &self,
        request: Request<v1::ReadAuditLogRequest>,
    ) -> Result<Response<Self::ReadAuditLogStream>, Status> {
        audit::read(self.registry.clone(), request.into_inner()).await.map(Response::new)
    }
}
