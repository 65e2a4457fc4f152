//! One HTTP request from route to response.

use super::message::{Sent, build};
use super::routes::{Answer, ROUTES, Route};
use super::template::{Found, Table};
use super::{answer, body, call, sse};
use crate::backend::Backend;
use crate::backends::Backends;
use crate::catalogue::{Catalogue, CatalogueError, Method};
use crate::gatekeeper::require;
use crate::meters::{Door, Meters, Observation};
use crate::problem::Problem;
use crate::visitor::Visitor;
use http::{HeaderValue, Request, Response, header};
use hyper::body::Incoming;
use pm_proto::error::{reason, status};
use prost_reflect::DynamicMessage;
use std::sync::Arc;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Instrument as _;

/// The HTTP door.
#[derive(Debug, Clone)]
pub(crate) struct Rest {
    table: Arc<Table>,
    catalogue: Arc<Catalogue>,
    backends: Backends,
    meters: Meters,
}

/// A request whose route is known.
struct Routed {
    route: &'static Route,
    fields: Vec<(&'static str, String)>,
    request: Request<Incoming>,
    visitor: Visitor,
}

impl Rest {
    /// Builds the door; every route must lead to public methods.
    pub(crate) fn new(catalogue: Arc<Catalogue>, backends: Backends, meters: Meters) -> Result<Self, CatalogueError> {
        for route in ROUTES {
            if let Some(rpc) = route.rpcs.iter().find(|rpc| catalogue.method(rpc).is_none()) {
                return Err(CatalogueError::RouteWithoutMethod { route: route.path, rpc });
            }
        }
        Ok(Self { table: Arc::new(Table::new()), catalogue, backends, meters })
    }

    /// Answers an admitted request.
    pub(crate) async fn answer(
        &self,
        request: Request<Incoming>,
        visitor: Visitor,
        shutdown: &CancellationToken,
    ) -> Response<Body> {
        let (route, fields) = match self.table.find(request.method(), request.uri().path()) {
            Found::Route(route, fields) => (route, fields),
            Found::OtherMethods(methods) => return self.other_methods(&request, &methods),
            Found::Nothing => return self.nothing_there(&request),
        };
        let streams = matches!(route.answer, Answer::Events | Answer::Logs | Answer::Frames);
        let span = crate::spans::http(route, visitor.role, request.headers());
        let observation = self.meters.begin(Door::Http, route.path, streams, span.clone());
        let precondition = request.headers().contains_key(header::IF_MATCH);
        let routed = Routed { route, fields, request, visitor };
        async {
            match self.route(routed, shutdown, observation).await {
                Ok(response) => response,
                Err((observation, status)) => {
                    observation.finish(status.code());
                    Problem::new(&status, precondition).into_response()
                }
            }
        }
        .instrument(span)
        .await
    }

    /// The role first, then everything that reads what the client sent.
    async fn route(
        &self,
        routed: Routed,
        shutdown: &CancellationToken,
        observation: Observation,
    ) -> Result<Response<Body>, (Observation, Status)> {
        match self.call(routed, shutdown).await {
            Ok(Reached::Answer(response)) => {
                observation.finish(Code::Ok);
                Ok(response)
            }
            Ok(Reached::Stream(frames, kind, backend)) => {
                Ok(sse::respond(frames, kind, backend, shutdown.clone(), observation))
            }
            Err(status) => Err((observation, status)),
        }
    }

    async fn call(&self, routed: Routed, shutdown: &CancellationToken) -> Result<Reached, Status> {
        let Routed { route, fields, request, visitor } = routed;
        let methods = self.methods(route)?;
        for method in &methods {
            require(visitor.role, method.role, &format!("{} {}", route.method, route.path))?;
        }
        let Some(first) = methods.first().copied() else { return Err(no_method(route)) };
        let (head, sent) = request.into_parts();
        let sent = tokio::select! {
            () = shutdown.cancelled() => return Err(crate::grpc::reply::shutting_down()),
            sent = body::read(route.body, &head.headers, sent) => sent?,
        };
        let query = head.uri.query().unwrap_or_default();
        let sent = Sent { fields: &fields, query, headers: &head.headers, body: &sent };
        let message = build(route, first, &sent)?;
        let backend = self.backends.of(first.upstream);
        match route.answer {
            Answer::Message => {
                let answered = call::unary(backend, first, message, &visitor).await?;
                answer::message(&answered).map(Reached::Answer)
            }
            Answer::MetricsText => {
                let answered = call::unary(backend, first, message, &visitor).await?;
                answer::metrics(&answered).map(Reached::Answer)
            }
            Answer::Status => {
                let calls =
                    methods.iter().map(|method| call::whole(self.backends.of(method.upstream), method, &visitor));
                let answered = futures::future::try_join_all(calls).await?;
                answer::status(&answered).map(Reached::Answer)
            }
            Answer::Events | Answer::Logs | Answer::Frames => {
                let places = sse::places(&message);
                let frames = call::server_stream(backend, first, message, &visitor).await?;
                Ok(Reached::Stream(Box::new(frames), (route.answer, places), backend.clone()))
            }
        }
    }

    fn methods(&self, route: &Route) -> Result<Vec<&Method>, Status> {
        route.rpcs.iter().map(|rpc| self.catalogue.method(rpc).ok_or_else(|| no_method(route))).collect()
    }

    fn nothing_there(&self, request: &Request<Incoming>) -> Response<Body> {
        let message = format!("there is nothing at {}; the API is under /api/v1", request.uri().path());
        self.refuse(request, &status(Code::NotFound, reason::UNKNOWN_ROUTE, message, &[]))
    }

    fn other_methods(&self, request: &Request<Incoming>, methods: &[http::Method]) -> Response<Body> {
        let allow = methods.iter().map(http::Method::as_str).collect::<Vec<_>>().join(", ");
        let message = format!("{} is not for {}; use {allow}", request.method(), request.uri().path());
        let refusal = status(Code::Unimplemented, reason::METHOD_NOT_ALLOWED, message, &[("allow", &allow)]);
        let mut response = self.refuse(request, &refusal);
        if let Ok(allow) = HeaderValue::from_str(&allow) {
            response.headers_mut().insert(header::ALLOW, allow);
        }
        response
    }

    fn refuse(&self, request: &Request<Incoming>, refusal: &Status) -> Response<Body> {
        let span = crate::spans::unrouted(request.method(), request.headers());
        let _entered = span.enter();
        self.meters.begin(Door::Http, "unknown", false, span.clone()).finish(refusal.code());
        Problem::new(refusal, false).into_response()
    }
}

/// What a call led to.
enum Reached {
    Answer(Response<Body>),
    Stream(Box<tonic::Streaming<DynamicMessage>>, (Answer, sse::Places), Backend),
}

/// Found when the door is built; kept as an error so that nothing can panic.
fn no_method(route: &Route) -> Status {
    status(Code::Internal, reason::INTERNAL, format!("the route {} has no method", route.path), &[])
}
