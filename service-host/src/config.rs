//! Command line arguments that every server's `main` shares.
//!
//! Precedence: flag, then environment variable, then the default. A `main` flattens these into its own `clap` struct,
//! so that the same thing has the same name everywhere.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::secret::{Secret, SecretError};
use crate::telemetry::{LogFormat, TelemetryOptions};

/// How much is logged, and how it looks.
#[derive(Args, Clone, Debug)]
pub struct LogArgs {
    /// What is logged: error, warn, info, debug, trace, or a filter such as info,runner_svc=debug.
    #[arg(long = "log", env = "PM_LOG", default_value = "info", value_name = "FILTER", global = true)]
    pub level: String,
    /// How a log line looks.
    #[arg(long, env = "PM_LOG_FORMAT", default_value = "human", value_name = "FORMAT", global = true)]
    pub log_format: LogFormatArg,
}

/// [`LogFormat`] as written on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormatArg {
    /// For people.
    Human,
    /// One JSON object a line.
    Json,
}

impl LogArgs {
    /// What [`crate::telemetry::init`] wants to know.
    #[must_use]
    pub fn telemetry(&self, service_name: &str) -> TelemetryOptions {
        let log_format = match self.log_format {
            LogFormatArg::Human => LogFormat::Human,
            LogFormatArg::Json => LogFormat::Json,
        };
        TelemetryOptions { service_name: service_name.to_owned(), log_format, level: self.level.clone() }
    }
}

/// The token that services use among each other.
#[derive(Args, Clone, Debug)]
pub struct TokenArgs {
    /// File with the token that the services use among each other; only its owner may have access to it.
    #[arg(long, env = "PM_SERVICE_TOKEN_FILE", value_name = "FILE")]
    pub service_token_file: PathBuf,
}

impl TokenArgs {
    /// Reads it.
    ///
    /// # Errors
    /// As [`Secret::from_file`].
    pub fn read(&self) -> Result<Secret, SecretError> {
        Secret::from_file(&self.service_token_file)
    }
}
