//! A log line as one JSON object, for machines.
//!
//! ```json
//! {"time":"…Z","level":"INFO","service":"…","target":"…","message":"…","fields":{…},"spans":[…],"trace_id":"…","span_id":"…"}
//! ```
//! `fields`, `spans` and the ids are left out when empty. Fields have an object of their own, so that none can take the
//! place of `level` or `time`.

use std::fmt;

use opentelemetry::trace::TraceContextExt;
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::{FormatEvent, FormatFields, JsonFields, Writer};
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormattedFields};
use tracing_subscriber::registry::LookupSpan;

pub(super) struct JsonLines {
    /// As JSON, with its quotes.
    service: String,
}

impl JsonLines {
    pub(super) fn new(service: String) -> Self {
        Self { service: Value::String(service).to_string() }
    }
}

impl<S> FormatEvent<S, JsonFields> for JsonLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    fn format_event(&self, ctx: &FmtContext<'_, S, JsonFields>, mut out: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        // A record of the `log` crate carries its real origin in its fields.
        let original = log_target(event);
        let target = original.as_deref().unwrap_or_else(|| event.metadata().target());
        out.write_str("{\"time\":\"")?;
        SystemTime.format_time(&mut out)?;
        write!(out, "\",\"level\":\"{}\",\"service\":{}", event.metadata().level(), self.service)?;
        write!(out, ",\"target\":{}", Value::from(target))?;

        let mut fields = Fields::default();
        event.record(&mut fields);
        write!(out, ",\"message\":{}", Value::String(fields.message))?;
        if !fields.others.is_empty() {
            write!(out, ",\"fields\":{}", Value::Object(fields.others))?;
        }
        let spans = spans(ctx);
        if !spans.is_empty() {
            write!(out, ",\"spans\":{}", Value::Array(spans))?;
        }
        let context = opentelemetry::Context::current();
        let span = context.span();
        if span.span_context().is_valid() {
            let (trace, span) = (span.span_context().trace_id(), span.span_context().span_id());
            write!(out, ",\"trace_id\":\"{trace}\",\"span_id\":\"{span}\"")?;
        }
        out.write_str("}\n")
    }
}

/// The spans around the event, outermost first, each with its fields.
fn spans<S, N>(ctx: &FmtContext<'_, S, N>) -> Vec<Value>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'w> FormatFields<'w> + 'static,
{
    let Some(scope) = ctx.event_scope() else { return Vec::new() };
    let described = scope.from_root().map(|span| {
        let extensions = span.extensions();
        let fields = extensions.get::<FormattedFields<N>>().map_or("", |fields| fields.fields.as_str());
        let mut object: Map<String, Value> = serde_json::from_str(fields).unwrap_or_default();
        object.insert("name".to_owned(), Value::from(span.name()));
        Value::Object(object)
    });
    described.collect()
}

fn log_target(event: &Event<'_>) -> Option<String> {
    struct LogTarget(Option<String>);
    impl Visit for LogTarget {
        fn record_debug(&mut self, _: &Field, _: &dyn fmt::Debug) {}
        fn record_str(&mut self, field: &Field, value: &str) {
            if field.name() == "log.target" {
                self.0 = Some(value.to_owned());
            }
        }
    }
    if event.metadata().target() != "log" {
        return None;
    }
    let mut target = LogTarget(None);
    event.record(&mut target);
    target.0
}

#[derive(Default)]
struct Fields {
    message: String,
    others: Map<String, Value>,
}

impl Fields {
    fn put(&mut self, field: &Field, value: Value) {
        let name = field.name();
        if name == "message" {
            self.message = match value {
                Value::String(text) => text,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
                    value.to_string()
                }
            };
        } else if !name.starts_with("log.") {
            self.others.insert(name.trim_start_matches("r#").to_owned(), value);
        }
    }
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, Value::String(format!("{value:?}")));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, Value::from(value));
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, Value::from(value));
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, Value::from(value));
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, Value::from(value));
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, Value::from(value));
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        // The causes too: in a log the chain is what helps.
        let mut text = value.to_string();
        let mut cause = value.source();
        while let Some(error) = cause {
            text.push_str(": ");
            text.push_str(&error.to_string());
            cause = error.source();
        }
        self.put(field, Value::String(text));
    }
}
