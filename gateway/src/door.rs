//! The order in which every request is looked at: token, then door, then
//! everything else.

use crate::access::LOCAL;
use crate::backends::Backends;
use crate::catalogue::Catalogue;
use crate::denials::Denials;
use crate::gatekeeper::{Gatekeeper, require};
use crate::grpc::{self, local::Local, proxy};
use crate::meters::{self, Meters};
use crate::problem::Problem;
use crate::rest::Rest;
use crate::spans;
use crate::visitor::{Peer, Visitor};
use http::{Request, Response, StatusCode, Version};
use hyper::body::Incoming;
use pm_proto::error::{reason, status};
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::{Instrument as _, Span};

/// Everything that answers.
#[derive(Debug)]
pub(crate) struct Door {
    pub(crate) gatekeeper: Gatekeeper,
    pub(crate) catalogue: Arc<Catalogue>,
    pub(crate) backends: Backends,
    pub(crate) denials: Denials,
    pub(crate) local: Local,
    pub(crate) rest: Rest,
    pub(crate) meters: Meters,
}

impl Door {
    /// Answers one request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        peer: &Peer,
        shutdown: &CancellationToken,
    ) -> Response<Body> {
        let is_grpc = grpc::is_call(request.method(), request.headers());
        let door = if is_grpc { meters::Door::Grpc } else { meters::Door::Http };
        let refusal = match self.gatekeeper.admit(request.headers(), peer) {
            Ok(visitor) if is_grpc && request.version() == Version::HTTP_2 => {
                return self.grpc(request, &visitor, shutdown).await;
            }
            Ok(visitor) if !is_grpc => {
                let (method, uri) = (request.method().clone(), request.uri().clone());
                let response = self.rest.answer(request, visitor.clone(), shutdown).await;
                if response.status() == StatusCode::FORBIDDEN {
                    self.denials.note(&visitor, &format!("{method} {}", uri.path()));
                }
                return response;
            }
            Ok(_) => {
                let message = "gRPC needs HTTP/2; for HTTP/1.1 there is JSON under /api/v1";
                let refusal = status(Code::InvalidArgument, reason::INVALID_ARGUMENT, message, &[]);
                self.meters.begin(door, "unknown", false, Span::none()).finish(refusal.code());
                return Problem::new(&refusal, false).into_response();
            }
            Err(refusal) => refusal,
        };
        tracing::warn!(peer = %peer.address, reason = refusal.message(), "request refused");
        self.meters.begin(door, "unauthenticated", false, Span::none()).finish(refusal.code());
        if is_grpc { refusal.into_http() } else { Problem::new(&refusal, false).into_response() }
    }

    async fn grpc(
        &self,
        request: Request<Incoming>,
        visitor: &Visitor,
        shutdown: &CancellationToken,
    ) -> Response<Body> {
        let path = request.uri().path().to_owned();
        let name = path.strip_prefix('/').unwrap_or_default();
        if let Some(method) = self.catalogue.method(name) {
            let span = spans::rpc(name, visitor.role, request.headers());
            let streams = method.descriptor.is_server_streaming() || method.descriptor.is_client_streaming();
            let observation = self.meters.begin(meters::Door::Grpc, name, streams, span.clone());
            if let Err(refusal) = require(visitor.role, method.role, name) {
                self.denials.note(visitor, name);
                return observation.refuse(refusal);
            }
            let backend = self.backends.of(method.upstream);
            return proxy::forward(method, backend, request, visitor, shutdown, observation).instrument(span).await;
        }
        if let Some(service) = local_service(name) {
            let span = spans::rpc(name, visitor.role, request.headers());
            let observation = self.meters.begin(meters::Door::Grpc, service, true, span.clone());
            return self.local.answer(request, shutdown.clone(), observation).instrument(span).await;
        }
        let refusal: Status = grpc::unknown(&path);
        self.meters.begin(meters::Door::Grpc, "unknown", false, Span::none()).refuse(refusal)
    }
}

fn local_service(name: &str) -> Option<&'static str> {
    let (service, _) = name.split_once('/')?;
    LOCAL.iter().find(|local| **local == service).copied()
}
