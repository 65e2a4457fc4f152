//! One span for each admitted request that somebody traces, child of the
//! client's, by OpenTelemetry's semantic conventions. Who has no token gets
//! none, and so cannot write into a trace.

use crate::access::Role;
use crate::rest::routes::Route;
use http::{HeaderMap, Method};
use service_host::trace_context::{is_traced, set_parent_from};
use tracing::Span;
use tracing::field::Empty;

/// The target that service-host gives to its own spans of calls: they go into
/// traces, and not in front of every log line.
const TARGET: &str = "service_host::rpc";

/// Of a gRPC call; `method` as `pm.v1.ProcessService/ListProcesses`.
pub(crate) fn rpc(method: &str, role: Role, headers: &HeaderMap) -> Span {
    if !is_traced(headers) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
        "rpc",
        otel.name = method,
        otel.kind = "server",
        otel.status_code = Empty,
        rpc.system.name = "grpc",
        rpc.method = method,
        rpc.response.status_code = Empty,
        enduser.id = role.actor(),
    );
    set_parent_from(&span, headers);
    span
}

/// Of an HTTP request with a route.
pub(crate) fn http(route: &Route, role: Role, headers: &HeaderMap) -> Span {
    if !is_traced(headers) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
        "http",
        otel.name = format!("{} {}", route.method, route.path),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = route.method.as_str(),
        http.route = route.path,
        rpc.response.status_code = Empty,
        enduser.id = role.actor(),
    );
    set_parent_from(&span, headers);
    span
}

/// Of an HTTP request to nowhere.
pub(crate) fn unrouted(method: &Method, headers: &HeaderMap) -> Span {
    if !is_traced(headers) {
        return Span::none();
    }
    let span = tracing::info_span!(
        target: TARGET,
        "http",
        otel.name = method.as_str(),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        rpc.response.status_code = Empty,
    );
    set_parent_from(&span, headers);
    span
}
