//! Command line arguments that every server's `main` shares.
//!
//! Precedence: flag, then environment variable, then the default. A `main` flattens these into its own `clap` struct,
//! so that the same thing has the same name everywhere.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use tokio::net::{TcpListener, TcpSocket};

use crate::identity::Identity;
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

/// Whether a server may be reached from elsewhere.
#[derive(Args, Clone, Debug)]
pub struct RemoteArgs {
    /// Allows addresses beyond loopback: with a certificate (--tls-dir), or with --insecure-plaintext.
    #[arg(long, env = "PM_ALLOW_REMOTE")]
    pub allow_remote: bool,
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// Nobody said that the server may be reached from elsewhere.
    #[error("{0} is not a loopback address; use 127.0.0.1, or add --allow-remote if you mean it")]
    Remote(SocketAddr),
    /// The system refuses.
    #[error("cannot listen on {address}: {source}")]
    Io {
        /// The address.
        address: SocketAddr,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl RemoteArgs {
    /// Listens on an address.
    ///
    /// # Errors
    /// As [`BindError`].
    pub async fn bind(&self, address: SocketAddr) -> Result<TcpListener, BindError> {
        if !address.ip().is_loopback() && !self.allow_remote {
            return Err(BindError::Remote(address));
        }
        listen(address).map_err(|source| BindError::Io { address, source })
    }
}

/// Connections that wait to be taken: all runners of a large fleet may dial in the same moment, and whoever finds no room
/// tries again a second later. The kernel allows no more than net.core.somaxconn, which is as many.
const BACKLOG: u32 = 4096;

fn listen(address: SocketAddr) -> std::io::Result<TcpListener> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // As every listener of the standard library does: a service that is started again has its port at once.
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    socket.listen(BACKLOG)
}

/// The token that services use among each other.
#[derive(Args, Clone, Debug)]
pub struct TokenArgs {
    /// File with the token that the services use among each other on plain text; only its owner may have access to it.
    #[arg(long, env = "PM_SERVICE_TOKEN_FILE", value_name = "FILE")]
    pub service_token_file: Option<PathBuf>,
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// Neither a token nor a certificate.
    #[error("nothing says who this service is: give --service-token-file FILE, or a certificate with --tls-dir DIR")]
    Missing,
    /// The file is of no use.
    #[error(transparent)]
    Secret(#[from] SecretError),
}

impl TokenArgs {
    /// Reads it. Who has an identity may do without, also where the settings of a service without one name a file: then
    /// nobody knows the token, and plain text is taken from nobody.
    ///
    /// # Errors
    /// As [`TokenError`].
    pub fn read(&self, identity: Option<&Identity>) -> Result<Secret, TokenError> {
        match (&self.service_token_file, identity) {
            (Some(file), None) => Ok(Secret::from_file(file)?),
            (Some(file), Some(_)) if file.exists() => Ok(Secret::from_file(file)?),
            (Some(_) | None, Some(_)) => Ok(Secret::try_generate()?),
            (None, None) => Err(TokenError::Missing),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_that_is_missing_is_an_error_for_whoever_has_no_certificate() {
        let token = TokenArgs { service_token_file: Some("/nonexistent/service.token".into()) };
        assert!(matches!(token.read(None), Err(TokenError::Secret(_))));
    }

    #[tokio::test]
    async fn nothing_listens_beyond_loopback_unless_it_was_said() {
        let everywhere = "0.0.0.0:0".parse().unwrap();
        let refused = RemoteArgs { allow_remote: false }.bind(everywhere).await;
        assert!(matches!(refused, Err(BindError::Remote(address)) if address == everywhere), "{refused:?}");
        assert!(RemoteArgs { allow_remote: true }.bind(everywhere).await.is_ok());
        assert!(RemoteArgs { allow_remote: false }.bind("[::1]:0".parse().unwrap()).await.is_ok());
    }
}
