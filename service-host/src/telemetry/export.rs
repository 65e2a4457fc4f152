//! Spans out of the process, over OTLP/gRPC, if an endpoint is set.
//!
//! Enters: the environment, finished spans. Leaves: batches to the collector. A collector that is away costs a bounded
//! queue and nothing else: spans that do not fit are dropped and counted by the SDK.

use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_semantic_conventions::resource::{SERVICE_INSTANCE_ID, SERVICE_VERSION};
use tokio::runtime::{Builder, Runtime};

use super::TelemetryError;

/// How long the last export may hold up the end of the program.
pub const FLUSH_TIMEOUT: Duration = Duration::from_secs(3);

/// Where spans go.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// To this address.
    Ours(String),
    /// Where OpenTelemetry's own variables say; the exporter reads them.
    Standard,
}

/// Where spans go, if anywhere. Ours outranks the standard variables; `OTEL_SDK_DISABLED` and
/// `OTEL_TRACES_EXPORTER=none` outrank both
/// (<https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/>).
pub(super) fn endpoint(variable: impl Fn(&str) -> Option<String>) -> Option<Endpoint> {
    // "An empty value must be treated as unset."
    let set = |name| variable(name).filter(|value| !value.trim().is_empty());
    let disabled = set("OTEL_SDK_DISABLED").is_some_and(|value| value.eq_ignore_ascii_case("true"));
    let none = set("OTEL_TRACES_EXPORTER").is_some_and(|value| value.eq_ignore_ascii_case("none"));
    if disabled || none {
        return None;
    }
    let standard = || set("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT").or_else(|| set("OTEL_EXPORTER_OTLP_ENDPOINT"));
    set("PM_OTLP_ENDPOINT").map(Endpoint::Ours).or_else(|| standard().map(|_| Endpoint::Standard))
}

/// The runtime of the exporter's connection: one thread of its own. On the program's runtime the last spans of a
/// single-threaded program could never leave, since its one thread is what waits for them.
#[derive(Debug)]
pub(super) struct ExportRuntime(Option<Runtime>);

impl ExportRuntime {
    fn start() -> Result<Self, TelemetryError> {
        let builder = &mut Builder::new_multi_thread();
        let builder = builder.worker_threads(1).max_blocking_threads(1).thread_name("otlp-export").enable_all();
        builder.build().map(|runtime| Self(Some(runtime))).map_err(TelemetryError::ExportThread)
    }
}

impl Drop for ExportRuntime {
    fn drop(&mut self) {
        // A plain drop waits for the thread, which panics within another runtime.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

/// A source of spans that are exported in batches: two threads, 2048 waiting spans at most.
pub(super) fn exporting(
    service: &str,
    endpoint: Endpoint,
) -> Result<(SdkTracerProvider, ExportRuntime), TelemetryError> {
    let runtime = ExportRuntime::start()?;
    let within = runtime.0.as_ref().map(Runtime::enter);
    let exporter = SpanExporter::builder().with_tonic();
    let exporter = match endpoint {
        Endpoint::Ours(address) => exporter.with_endpoint(address),
        Endpoint::Standard => exporter,
    };
    let exporter = exporter.build().map_err(TelemetryError::Exporter)?;
    let provider = SdkTracerProvider::builder().with_resource(resource(service)).with_batch_exporter(exporter).build();
    drop(within);
    Ok((provider, runtime))
}

/// A source of spans that only carry the trace on: no thread, no buffer.
pub(super) fn carrying_on() -> SdkTracerProvider {
    SdkTracerProvider::builder().with_resource(Resource::builder_empty().build()).build()
}

/// Who is speaking. Further attributes come from `OTEL_RESOURCE_ATTRIBUTES`.
fn resource(service: &str) -> Resource {
    let mut attributes = vec![
        KeyValue::new(SERVICE_VERSION, env!("CARGO_PKG_VERSION")),
        KeyValue::new(SERVICE_INSTANCE_ID, uuid::Uuid::new_v4().to_string()),
    ];
    if let Ok(name) = std::fs::read_to_string("/proc/sys/kernel/hostname") {
        attributes.push(KeyValue::new("host.name", name.trim().to_owned()));
    }
    Resource::builder().with_service_name(service.to_owned()).with_attributes(attributes).build()
}

/// Exports what is left; blocks for at most [`FLUSH_TIMEOUT`].
pub(super) fn finish(provider: &SdkTracerProvider) {
    if let Err(error) = provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
        tracing::warn!(%error, "the last spans were not exported");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> Option<Endpoint> {
        endpoint(|name| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn nothing_is_exported_unless_an_endpoint_is_set() {
        assert_eq!(with(&[]), None);
        assert_eq!(with(&[("PM_OTLP_ENDPOINT", " "), ("OTEL_EXPORTER_OTLP_ENDPOINT", "")]), None);
        assert_eq!(with(&[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://c:4317")]), Some(Endpoint::Standard));
        assert_eq!(with(&[("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "http://c:4317")]), Some(Endpoint::Standard));
    }

    #[test]
    fn our_variable_outranks_the_standard_one_and_off_outranks_both() {
        let both = [("PM_OTLP_ENDPOINT", "http://a:4317"), ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://b:4317")];
        assert_eq!(with(&both), Some(Endpoint::Ours("http://a:4317".into())));
        for off in [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none")] {
            assert_eq!(with(&[both[0], both[1], off]), None);
        }
    }

    #[test]
    fn an_endpoint_that_is_no_address_is_an_error_also_outside_of_a_runtime() {
        let error = exporting("example", Endpoint::Ours("http://a b".into())).unwrap_err();
        assert!(matches!(error, TelemetryError::Exporter(_)), "{error}");
        assert!(exporting("example", Endpoint::Ours("http://127.0.0.1:1".into())).is_ok());
    }

    #[tokio::test]
    async fn the_runtime_of_the_exporter_can_be_dropped_within_another() {
        drop(exporting("example", Endpoint::Ours("http://127.0.0.1:1".into())).unwrap());
    }
}
