//! Logs on stderr, traces over OTLP.
//!
//! Enters: three options and the environment (`PM_OTLP_ENDPOINT`, the standard `OTEL_…`, `NO_COLOR`). Leaves: the
//! process-wide subscriber. Decides: who may log how much (`telemetry/filter.rs`), that nobody waits for stderr
//! (`telemetry/lines.rs`), and whether spans are exported: only when an endpoint is set. Without one, a trace that comes
//! in is passed on all the same; a call without one gets no span and so costs nothing (see [`crate::trace_context::is_traced`]).

mod export;
mod filter;
mod json_lines;
mod lines;

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, Ordering};

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_sdk::propagation::TraceContextPropagator;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tracing::Subscriber;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, fmt};

use export::ExportRuntime;
pub use export::FLUSH_TIMEOUT;
pub(crate) use lines::dropped as dropped_lines;
use lines::{LAST_WORDS, Lines};

/// How a log line looks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people: compact, coloured on a terminal.
    #[default]
    Human,
    /// One JSON object a line, with `trace_id` and `span_id`.
    Json,
}

/// What differs between programs.
#[derive(Clone, Debug)]
pub struct TelemetryOptions {
    /// `service.name` of the traces, `service` of the JSON logs.
    pub service_name: String,
    /// How a log line looks.
    pub log_format: LogFormat,
    /// What is logged: a level for our own code (everything else stays at `warn`), or a list like
    /// `info,runner_svc=debug,h2=debug` in the syntax of `tracing_subscriber::EnvFilter`. From `--log` or `PM_LOG`.
    pub level: String,
}

impl TelemetryOptions {
    /// Human format, level `info`.
    #[must_use]
    pub fn new(service_name: impl Into<String>) -> Self {
        Self { service_name: service_name.into(), log_format: LogFormat::default(), level: "info".to_owned() }
    }
}

/// Why there is no telemetry.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// The level is neither a level nor a filter.
    #[error(
        "the log filter {filter:?} is not valid; write error, warn, info, debug, trace or e.g. info,runner_svc=debug"
    )]
    Filter {
        /// What was given.
        filter: String,
        /// Where it goes wrong.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// The OTLP exporter cannot be made.
    #[error("traces cannot be exported to the endpoint in PM_OTLP_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT")]
    Exporter(#[source] opentelemetry_otlp::ExporterBuildError),
    /// The thread that exports cannot be started.
    #[error("traces cannot be exported: their thread does not start")]
    ExportThread(#[source] std::io::Error),
    /// The thread that writes log lines cannot be started.
    #[error("log lines cannot be written: their thread does not start")]
    LogThread(#[source] std::io::Error),
    /// There is a subscriber already; a process has one.
    #[error("telemetry was set up twice")]
    AlreadySet(#[source] tracing_subscriber::util::TryInitError),
}

/// Whether spans of this process are exported; set once.
static EXPORTING: AtomicBool = AtomicBool::new(false);

/// Whether spans of this process are exported: without, one that goes on for long is only room that it takes.
#[must_use]
pub fn is_exporting() -> bool {
    EXPORTING.load(Ordering::Relaxed)
}

/// Telemetry is running. Keep it to the end of `main` and end it by [`Telemetry::shutdown`]: spans that were not
/// exported yet are lost otherwise.
#[derive(Debug)]
#[must_use]
pub struct Telemetry {
    provider: SdkTracerProvider,
    exporting: Option<ExportRuntime>,
}

/// Sets up logs and traces for the process. Needs no runtime.
///
/// # Errors
/// When the filter or the endpoint is not valid, or when called twice.
pub fn init(options: TelemetryOptions) -> Result<Telemetry, TelemetryError> {
    let log_filter = filter::logs(&options.level)?;
    let endpoint = export::endpoint(|name| std::env::var(name).ok());
    let (provider, exporting) = match endpoint {
        Some(endpoint) => {
            let (provider, runtime) = export::exporting(&options.service_name, endpoint)?;
            (provider, Some(runtime))
        }
        None => (export::carrying_on(), None),
    };

    opentelemetry::global::set_text_map_propagator(TraceContextPropagator::new());
    let traces = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("service_host"))
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(filter::traces(exporting.is_some()));
    let lines = Lines::on_stderr().map_err(TelemetryError::LogThread)?;
    let logs = logs(options.log_format, options.service_name, lines).with_filter(log_filter);
    // `try_init` takes the records of the `log` crate in as well (sled writes those).
    tracing_subscriber::registry().with(traces).with(logs).try_init().map_err(TelemetryError::AlreadySet)?;
    EXPORTING.store(exporting.is_some(), Ordering::Relaxed);
    Ok(Telemetry { provider, exporting })
}

fn logs<S>(format: LogFormat, service_name: String, lines: Lines) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    // With internal errors logged, the layer would write to stderr by itself, and wait for it.
    let layer = fmt::layer().with_writer(lines).log_internal_errors(false);
    match format {
        LogFormat::Human => {
            let colour =
                std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
            layer.with_ansi(colour).compact().boxed()
        }
        LogFormat::Json => layer
            .with_ansi(false)
            .fmt_fields(fmt::format::JsonFields::new())
            .event_format(json_lines::JsonLines::new(service_name))
            .boxed(),
    }
}

impl Telemetry {
    /// Whether spans are exported.
    #[must_use]
    pub fn is_exporting(&self) -> bool {
        self.exporting.is_some()
    }

    /// Exports what is left and writes the last log lines; blocks the calling thread for at most 4 s. Works inside any
    /// kind of runtime and outside.
    pub fn shutdown(self) {
        if self.is_exporting() {
            export::finish(&self.provider);
        }
    }
}

impl Drop for Telemetry {
    fn drop(&mut self) {
        // If stderr is not read, nothing is gained by waiting longer.
        let _ = flush_logs();
    }
}

/// Waits until what was logged is written, at most 1 s: for whoever ends the process. Returns whether it is.
pub(crate) fn flush_logs() -> bool {
    lines::flush(LAST_WORDS)
}
