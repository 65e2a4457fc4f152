//! What the gateway counts, and the life of one request as it is counted:
//! begun, then finished with a code, or dropped because the client went.

use crate::problem;
use http::Response;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use service_host::metrics::Metrics;
use std::time::Instant;
use tonic::body::Body;
use tonic::{Code, Status};
use tracing::Span;

/// By which door a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// gRPC.
    Grpc,
    /// HTTP and JSON.
    Http,
}

impl Door {
    fn label(self) -> &'static str {
        match self {
            Self::Grpc => "grpc",
            Self::Http => "http",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    door: &'static str,
    route: String,
    code: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Routed {
    door: &'static str,
    route: String,
}

/// The metrics.
#[derive(Debug, Clone)]
pub(crate) struct Meters {
    requests: Family<Ended, Counter>,
    seconds: Family<Routed, Histogram>,
    in_flight: Gauge,
    connections: Gauge,
}

/// 0.5 ms to 16 s: a forwarded read takes about one millisecond, a commit
/// during an election some seconds.
fn buckets() -> Histogram {
    Histogram::new(exponential_buckets(0.0005, 2.0, 16))
}

impl Meters {
    /// Registers everything.
    pub(crate) fn new(metrics: &Metrics) -> Self {
        let meters = Self {
            requests: Family::default(),
            seconds: Family::new_with_constructor(buckets as fn() -> Histogram),
            in_flight: Gauge::default(),
            connections: Gauge::default(),
        };
        let requests = "Requests that ended, by door, route and gRPC code";
        metrics.register("pm_gateway_requests", requests, meters.requests.clone());
        let seconds = "Time to the end of requests with a single answer, in seconds";
        metrics.register("pm_gateway_request_duration_seconds", seconds, meters.seconds.clone());
        metrics.register("pm_gateway_requests_in_flight", "Requests being answered", meters.in_flight.clone());
        metrics.register("pm_gateway_connections", "Open connections", meters.connections.clone());
        meters
    }

    /// A request begins. `route` must be of a fixed set: it is a label.
    pub(crate) fn begin(&self, door: Door, route: &str, streams: bool, span: Span) -> Observation {
        self.in_flight.inc();
        let (meters, begun) = (self.clone(), Instant::now());
        Observation { meters, door, route: route.to_owned(), streams, span, begun, finished: false }
    }

    /// A connection is open until the guard is dropped.
    pub(crate) fn connection(&self) -> OpenConnection {
        self.connections.inc();
        OpenConnection(self.connections.clone())
    }
}

/// One request that is being answered. Dropping it unfinished counts it as
/// cancelled.
#[derive(Debug)]
pub(crate) struct Observation {
    meters: Meters,
    door: Door,
    route: String,
    streams: bool,
    span: Span,
    begun: Instant,
    finished: bool,
}

impl Observation {
    /// The request's span, which lasts as long as the answer.
    pub(crate) fn span(&self) -> &Span {
        &self.span
    }

    /// The answer is out.
    pub(crate) fn finish(mut self, code: Code) {
        self.count(code);
    }

    /// The answer is this status, in gRPC's form.
    pub(crate) fn refuse(self, status: Status) -> Response<Body> {
        self.finish(status.code());
        status.into_http()
    }

    fn count(&mut self, code: Code) {
        self.finished = true;
        let name = problem::name(code);
        self.span.record("rpc.response.status_code", name);
        if matches!(code, Code::Internal | Code::Unavailable | Code::Unknown | Code::DataLoss | Code::DeadlineExceeded)
        {
            self.span.record("otel.status_code", "ERROR");
        }
        self.meters.in_flight.dec();
        let (door, route) = (self.door.label(), self.route.clone());
        if !self.streams {
            let seconds = self.begun.elapsed().as_secs_f64();
            self.meters.seconds.get_or_create(&Routed { door, route: route.clone() }).observe(seconds);
        }
        self.meters.requests.get_or_create(&Ended { door, route, code: name }).inc();
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        if !self.finished {
            self.count(Code::Cancelled);
        }
    }
}

/// Counts one open connection.
#[derive(Debug)]
pub(crate) struct OpenConnection(Gauge);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.dec();
    }
}
