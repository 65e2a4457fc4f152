//! Events and the audit log.

use super::request::check_selectors;
use super::watch::{Frames, Watch};
use super::{audit, event_list};
use crate::core::Core;
use pm_proto::v1;
use pm_proto::v1::event_service_server::EventService;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status};

pub(super) struct Api {
    pub(super) registry: Arc<Core>,
    pub(super) shutdown: CancellationToken,
}

#[tonic::async_trait]
impl EventService for Api {
    type WatchEventsStream = Frames;

    async fn watch_events(
        &self,
        request: Request<v1::WatchEventsRequest>,
    ) -> Result<Response<Self::WatchEventsStream>, Status> {
        let request = request.into_inner();
        check_selectors("selectors", &request.selectors)?;
        check_selectors("types", &request.types)?;
        // Not a linearizable read: a replica that is behind shows the same
        // events later, in the same order.
        let watch = Watch::begin(self.registry.clone(), self.shutdown.clone(), request)?;
        Ok(Response::new(watch.frames()))
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
