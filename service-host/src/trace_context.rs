//! W3C trace context (<https://www.w3.org/TR/trace-context/>) in and out of headers, strings and spans.
//!
//! Enters: `traceparent` and `tracestate`, from a caller or from a stored string. Leaves: the same, for the next
//! hop or for a child process. An unexported trace is passed on too, so that those who do export see one trace; but
//! without an exporter no call begins one. Before [`crate::telemetry::init`] there is no trace and
//! everything here does nothing.

use http::{HeaderMap, HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::propagation::{Extractor, Injector, TextMapPropagator};
use opentelemetry_sdk::propagation::TraceContextPropagator;
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt;

/// The header, and the key in gRPC metadata.
pub const TRACEPARENT_HEADER: &str = "traceparent";

/// The environment variable by which a program is told the trace that it is part of.
pub const TRACEPARENT_ENV: &str = "TRACEPARENT";

/// The current span as a `traceparent`; `None` outside of any trace. A runner gives it to a child process as
/// [`TRACEPARENT_ENV`], a service stores it with a command that is carried out later.
#[must_use]
pub fn traceparent_of_current_span() -> Option<String> {
    traceparent_of(&Span::current())
}

/// The given span as a `traceparent`; `None` when it is disabled or in no trace.
#[must_use]
pub fn traceparent_of(span: &Span) -> Option<String> {
    let mut carrier = OneTraceparent(None);
    TraceContextPropagator::new().inject_context(&span.context(), &mut carrier);
    carrier.0
}

/// Makes `span` a child of the span that `traceparent` names. Call it before the span is first entered. A string
/// that is no `traceparent` (or an empty one) leaves the span as it is: a broken trace must not break the work.
pub fn set_parent(span: &Span, traceparent: &str) {
    let carrier = OneTraceparent(Some(traceparent.to_owned()));
    set_parent_context(span, TraceContextPropagator::new().extract_with_context(&Context::new(), &carrier));
}

/// Whether a call with these headers is worth a span: somebody exports it, or its caller is in a trace that has to be
/// passed on. Ids for nobody would be a good part of what a small call costs.
#[must_use]
pub fn is_traced(headers: &HeaderMap) -> bool {
    crate::telemetry::is_exporting() || headers.contains_key(TRACEPARENT_HEADER)
}

/// Makes `span` a child of the span that a request's headers name, if they name one.
pub fn set_parent_from(span: &Span, headers: &HeaderMap) {
    set_parent_context(span, extract(headers));
}

/// Writes the current span into `headers`; nothing outside of any trace.
pub fn inject(headers: &mut HeaderMap) {
    if Span::current().is_none() {
        return;
    }
    TraceContextPropagator::new().inject_context(&Span::current().context(), &mut Headers(headers));
}

/// What `headers` say about the caller's span; an empty context when they say nothing.
#[must_use]
pub fn extract(headers: &HeaderMap) -> Context {
    TraceContextPropagator::new().extract_with_context(&Context::new(), &HeadersRead(headers))
}

fn set_parent_context(span: &Span, context: Context) {
    use opentelemetry::trace::TraceContextExt;
    if context.span().span_context().is_valid() {
        // Refused when there is no telemetry or the span is filtered out; then there is nothing to link.
        let _ = span.set_parent(context);
    }
}

struct OneTraceparent(Option<String>);

impl Injector for OneTraceparent {
    fn set(&mut self, key: &str, value: String) {
        if key == TRACEPARENT_HEADER {
            self.0 = Some(value);
        }
    }
}

impl Extractor for OneTraceparent {
    fn get(&self, key: &str) -> Option<&str> {
        if key == TRACEPARENT_HEADER { self.0.as_deref() } else { None }
    }

    fn keys(&self) -> Vec<&str> {
        vec![TRACEPARENT_HEADER]
    }
}

struct Headers<'a>(&'a mut HeaderMap);

impl Injector for Headers<'_> {
    fn set(&mut self, key: &str, value: String) {
        // The propagator writes an empty `tracestate` when there is none; the header is then better left out.
        if value.is_empty() {
            return;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(key), HeaderValue::try_from(value)) {
            self.0.insert(name, value);
        }
    }
}

struct HeadersRead<'a>(&'a HeaderMap);

impl Extractor for HeadersRead<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|value| value.to_str().ok())
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(HeaderName::as_str).collect()
    }
}
