//! The options by which every server is given its identity, and what follows for where it may listen.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio::net::TcpListener;

use super::{Identity, IdentityError, Role, TlsFiles};
use crate::config::{BindError, RemoteArgs};

/// Who this process is. Precedence: flag, then environment variable.
#[derive(Args, Clone, Debug, Default)]
pub struct TlsArgs {
    /// Folder with this service's certificate tls.crt, its key tls.key and the CA's certificate ca.crt.
    #[arg(long, env = "PM_TLS_DIR", value_name = "DIR")]
    pub tls_dir: Option<PathBuf>,
    /// This service's certificate, in PEM [default: tls.crt in --tls-dir].
    #[arg(long, env = "PM_TLS_CERT", value_name = "FILE")]
    pub tls_cert: Option<PathBuf>,
    /// Its key; only its owner may have access to it [default: tls.key in --tls-dir].
    #[arg(long, env = "PM_TLS_KEY", value_name = "FILE")]
    pub tls_key: Option<PathBuf>,
    /// Certificate of the CA that certified all services of the cluster [default: ca.crt in --tls-dir].
    #[arg(long, env = "PM_TLS_CA", value_name = "FILE")]
    pub tls_ca: Option<PathBuf>,
    /// Serves plain text beyond loopback: everybody on the way reads everything, the token too.
    #[arg(long, env = "PM_INSECURE_PLAINTEXT")]
    pub insecure_plaintext: bool,
}

/// Why the options name no identity.
#[derive(Debug, thiserror::Error)]
pub enum TlsArgsError {
    /// Some of the three, but not all.
    #[error("{missing} is missing: give --tls-cert, --tls-key and --tls-ca, or --tls-dir with all three")]
    Incomplete {
        /// Which.
        missing: &'static str,
    },
    /// The files are of no use.
    #[error(transparent)]
    Identity(#[from] IdentityError),
}

/// Why a server does not listen.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// As for every listener.
    #[error(transparent)]
    Bind(#[from] BindError),
    /// Nobody said that it may be read by everybody on the way.
    #[error(
        "{0} is not a loopback address, and without a certificate everything would go there in plain text: \
         give --tls-dir (docs/security.md), or insist with --insecure-plaintext"
    )]
    Plaintext(SocketAddr),
}

impl TlsArgs {
    /// The three files; `None` when none is named.
    ///
    /// # Errors
    /// Some are named, and others missing.
    pub fn files(&self) -> Result<Option<TlsFiles>, TlsArgsError> {
        let Self { tls_dir, tls_cert, tls_key, tls_ca, .. } = self;
        if tls_dir.is_none() && tls_cert.is_none() && tls_key.is_none() && tls_ca.is_none() {
            return Ok(None);
        }
        let usual = tls_dir.as_deref().map(TlsFiles::in_dir);
        let of = |given: &Option<PathBuf>, usual: Option<&PathBuf>, missing| {
            given.clone().or_else(|| usual.cloned()).ok_or(TlsArgsError::Incomplete { missing })
        };
        Ok(Some(TlsFiles {
            certificate: of(tls_cert, usual.as_ref().map(|files| &files.certificate), "--tls-cert")?,
            key: of(tls_key, usual.as_ref().map(|files| &files.key), "--tls-key")?,
            ca: of(tls_ca, usual.as_ref().map(|files| &files.ca), "--tls-ca")?,
        }))
    }

    /// Who this process is; `None`: it speaks plain text.
    ///
    /// # Errors
    /// As [`TlsArgsError`].
    pub fn identity(&self, role: Role) -> Result<Option<Identity>, TlsArgsError> {
        Ok(self.files()?.map(|files| Identity::load(files, role)).transpose()?)
    }

    /// Listens for calls: beyond loopback only with an identity, or where somebody insists.
    ///
    /// # Errors
    /// As [`ListenError`].
    pub async fn bind(
        &self,
        identity: Option<&Identity>,
        remote: &RemoteArgs,
        address: SocketAddr,
    ) -> Result<TcpListener, ListenError> {
        if identity.is_none() && !address.ip().is_loopback() && remote.allow_remote && !self.insecure_plaintext {
            return Err(ListenError::Plaintext(address));
        }
        Ok(remote.bind(address).await?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn plain_text_beyond_loopback_is_refused_unless_somebody_insists_by_name() {
        let everywhere: SocketAddr = "0.0.0.0:0".parse().unwrap();
        let remote = RemoteArgs { allow_remote: true };
        let refused = TlsArgs::default().bind(None, &remote, everywhere).await;
        assert!(matches!(&refused, Err(ListenError::Plaintext(address)) if *address == everywhere), "{refused:?}");
        assert!(refused.unwrap_err().to_string().contains("--insecure-plaintext"));
        let insists = TlsArgs { insecure_plaintext: true, ..TlsArgs::default() };
        assert!(insists.bind(None, &remote, everywhere).await.is_ok());
        let unasked = insists.bind(None, &RemoteArgs { allow_remote: false }, everywhere).await;
        assert!(matches!(unasked, Err(ListenError::Bind(BindError::Remote(_)))), "{unasked:?}");
        assert!(TlsArgs::default().bind(None, &remote, "127.0.0.1:0".parse().unwrap()).await.is_ok());
    }

    #[test]
    fn three_files_are_named_or_one_folder_or_nothing() {
        assert_eq!(TlsArgs::default().files().unwrap(), None);
        let dir = TlsArgs { tls_dir: Some("/etc/pm/tls".into()), tls_ca: Some("/ca.pem".into()), ..TlsArgs::default() };
        let files = dir.files().unwrap().unwrap();
        assert_eq!(files, TlsFiles { ca: "/ca.pem".into(), ..TlsFiles::in_dir("/etc/pm/tls".as_ref()) });
        let half = TlsArgs { tls_cert: Some("/a".into()), tls_ca: Some("/b".into()), ..TlsArgs::default() };
        assert!(half.files().unwrap_err().to_string().contains("--tls-key"), "{half:?}");
    }
}
