//! What every verb has at hand: the streams, the wanted format, and a way to
//! run its calls: on one thread, inside one trace, ended by Ctrl-C.

use crate::connection::Connection;
use crate::error::Failure;
use crate::exit::Exit;
use crate::global::Global;
use crate::output::{ColourWish, Format, Terminal};
use crate::signals::{Signals, Stop};
use crate::state_dir::StateDir;
use crate::target::Wish;
use service_host::telemetry::{self, LogFormat, Telemetry, TelemetryOptions};
use std::future::Future;
use std::path::PathBuf;
use tracing::Instrument;

/// What every verb has at hand.
#[derive(Debug, Clone)]
pub struct Context {
    /// The streams.
    pub terminal: Terminal,
    /// The wanted format.
    pub format: Format,
    /// Whether the services' own logs are wanted.
    pub verbose: bool,
    wish: Wish,
    state_dir: Option<PathBuf>,
}

impl Context {
    /// From the flags and the environment.
    #[must_use]
    pub fn new(global: &Global) -> Self {
        Self {
            terminal: Terminal::new(&ColourWish::from_environment(global.no_color), global.quiet),
            format: global.output,
            verbose: global.verbose,
            wish: Wish {
                endpoint: global.endpoint.clone(),
                token_file: global.token_file.clone(),
                ca: global.ca.clone(),
                tls_dir: global.tls_dir.clone(),
            },
            state_dir: global.state_dir.clone(),
        }
    }

    /// The state folder.
    ///
    /// # Errors
    /// There is no place for one.
    pub fn state(&self) -> Result<StateDir, Failure> {
        StateDir::resolve(self.state_dir.as_deref())
    }

    /// A connection to the service.
    ///
    /// # Errors
    /// There is none, or no token for it.
    pub async fn connect(&self) -> Result<Connection, Failure> {
        Connection::find(&self.wish, &self.state()?).await
    }

    /// Runs a verb's calls in one trace named for the verb. Ctrl-C ends it at
    /// once, since nothing here has to be tidied up.
    ///
    /// # Errors
    /// The verb's own, or the interruption.
    pub fn block_on(
        &self,
        verb: &'static str,
        work: impl Future<Output = Result<Exit, Failure>>,
    ) -> Result<Exit, Failure> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::failed(format!("cannot start the runtime: {e}")))?;
        runtime.block_on(async {
            // Setting it up costs milliseconds, so only when somebody looks.
            let telemetry = if self.verbose || observed() { Some(self.telemetry("pmctl", "warn")?) } else { None };
            let mut signals = Signals::new()?;
            let span = tracing::info_span!("pmctl", verb, otel.name = format!("pmctl {verb}"), otel.kind = "client");
            let result = tokio::select! {
                result = work.instrument(span) => result,
                stop = signals.next() => Err(Failure::silent(match stop {
                    Stop::Interrupted => Exit::Interrupted,
                    Stop::Terminated => Exit::Failed,
                })),
            };
            if let Some(telemetry) = telemetry {
                telemetry.shutdown();
            }
            result
        })
    }

    /// Sets up logs and traces of this process. `level`: unless `-v` or
    /// `PM_LOG` says otherwise.
    ///
    /// # Errors
    /// The level or the endpoint is malformed.
    pub fn telemetry(&self, service: &'static str, level: &str) -> Result<Telemetry, Failure> {
        let mut options = TelemetryOptions::new(service);
        options.log_format = LogFormat::Human;
        options.level = match std::env::var("PM_LOG") {
            Ok(wanted) if !wanted.is_empty() => wanted,
            Ok(_) | Err(_) if self.verbose => "info".to_owned(),
            Ok(_) | Err(_) => level.to_owned(),
        };
        telemetry::init(options).map_err(|e| Failure::usage(format!("cannot set up logs and traces: {e}")))
    }
}

/// Whether logs or traces of this call go anywhere.
fn observed() -> bool {
    ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "PM_OTLP_ENDPOINT", "PM_LOG"]
        .iter()
        .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))
}
