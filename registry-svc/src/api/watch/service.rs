//! The event service as generated, but for its watch, whose frames are encoded
//! before they come to a stream.

use super::frames::Encoded;
use super::{Frames, Watch};
use crate::api::event::Api;
use bytes::Bytes;
use futures::future::BoxFuture;
use pm_proto::v1;
use pm_proto::v1::event_service_server::EventServiceServer;
use std::convert::Infallible;
use std::task::{Context, Poll};
use tonic::body::Body;
use tonic::server::{Grpc, NamedService, ServerStreamingService};
use tonic::{Request, Response, Status};

/// Path of the watch.
const WATCH: &str = "/pm.v1.EventService/WatchEvents";

/// The event service.
#[derive(Clone)]
pub(in crate::api) struct Service {
    watch: Method,
    others: EventServiceServer<Api>,
}

impl Service {
    pub(in crate::api) fn new(api: Api) -> Self {
        Self { watch: Method(api.clone()), others: EventServiceServer::new(api) }
    }
}

impl NamedService for Service {
    const NAME: &'static str = <EventServiceServer<Api> as NamedService>::NAME;
}

impl tower::Service<http::Request<Body>> for Service {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        // It waits for nothing, nor do the others.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        if request.uri().path() != WATCH {
            return self.others.call(request);
        }
        let method = self.watch.clone();
        Box::pin(async move { Ok(Grpc::new(Encoded).server_streaming(method, request).await) })
    }
}

#[derive(Clone)]
struct Method(Api);

impl ServerStreamingService<v1::WatchEventsRequest> for Method {
    type Response = Bytes;
    type ResponseStream = Frames;
    type Future = BoxFuture<'static, Result<Response<Frames>, Status>>;

    fn call(&mut self, request: Request<v1::WatchEventsRequest>) -> Self::Future {
        let Api { registry, shutdown } = self.0.clone();
        Box::pin(async move {
            let watch = Watch::begin(registry, shutdown, request.into_inner()).await?;
            Ok(Response::new(watch.frames()))
        })
    }
}
