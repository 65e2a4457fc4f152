//! The server's view of who called: what a connection showed, and what follows for a call on it.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;
use tonic::transport::server::TcpConnectInfo;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use super::pair::who;
use super::{Clients, Identity, Role, SpiffeId};

/// `ErrorInfo` of a refusal.
const ERROR_DOMAIN: &str = "pm.v1";
const ERROR_REASON: &str = "PERMISSION_DENIED";

/// Longest handshake: three round trips and a signature, with patience for a machine that is overloaded.
pub(crate) const HANDSHAKE: Duration = Duration::from_secs(5);

/// What an accepted connection showed of its other end.
#[derive(Clone, Debug)]
pub(crate) struct Shown {
    pub(crate) tcp: TcpConnectInfo,
    pub(crate) certificate: Certificate,
}

/// What was shown in a handshake that succeeded.
#[derive(Clone, Debug)]
pub(crate) enum Certificate {
    /// There was no handshake: plain text, or memory.
    Plain,
    /// None was shown.
    None,
    /// One of the cluster's CA.
    Of(Arc<SpiffeId>),
    /// One of the cluster's CA that names nobody.
    Nameless(Arc<str>),
}

impl Certificate {
    /// Of a connection after its handshake.
    pub(crate) fn of(chain: Option<&[CertificateDer<'_>]>) -> Self {
        match chain.and_then(<[_]>::first).map(who) {
            None => Self::None,
            Some(Ok((id, _))) => Self::Of(Arc::new(id)),
            Some(Err(why)) => Self::Nameless(why.to_string().into()),
        }
    }
}

/// Who made a call; found among the extensions of each request that is let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    /// One who has the services' token, on plain text or within the process.
    Trusted,
    /// One with a certificate.
    Certified(Arc<SpiffeId>),
    /// One without, where that is allowed.
    Stranger,
}

impl Caller {
    /// Of a request. Who is not said to be anybody is a stranger.
    #[must_use]
    pub fn of<T>(request: &tonic::Request<T>) -> Self {
        request.extensions().get::<Self>().cloned().unwrap_or(Self::Stranger)
    }

    /// How the audit log names it.
    #[must_use]
    pub fn actor(&self) -> String {
        match self {
            Self::Trusted => crate::auth::SERVICE_ACTOR.to_owned(),
            Self::Certified(id) => id.actor(),
            Self::Stranger => "(no certificate)".to_owned(),
        }
    }

    /// The role of its certificate.
    #[must_use]
    pub fn role(&self) -> Option<Role> {
        match self {
            Self::Certified(id) => Some(id.role()),
            Self::Trusted | Self::Stranger => None,
        }
    }

    /// Its certificate's name, if that has this role.
    #[must_use]
    pub fn name_as(&self, role: Role) -> Option<&str> {
        match self {
            Self::Certified(id) if id.role() == role => Some(id.name()),
            Self::Certified(_) | Self::Trusted | Self::Stranger => None,
        }
    }

    /// Whether it may speak for a node: a runner for its own alone.
    ///
    /// # Errors
    /// PERMISSION_DENIED.
    pub fn must_be_node(&self, node: &str) -> Result<(), Status> {
        match self {
            Self::Trusted => Ok(()),
            Self::Certified(id) if id.role() == Role::Runner && id.name() == node => Ok(()),
            Self::Certified(_) | Self::Stranger => {
                let actor = self.actor();
                let message =
                    format!("{actor} may not speak for node {node}; a runner needs the certificate of its node");
                Err(denied(&message, &[("caller", &actor), ("node", node)]))
            }
        }
    }
}

/// The server's side of a handshake on a connection that was accepted: what remains, and who is there. In bounded time.
///
/// # Errors
/// The other end does not speak TLS, shows a certificate of another CA, or takes more than 5 s.
pub async fn accept(
    identity: &Identity,
    clients: Clients,
    stream: TcpStream,
) -> io::Result<(TlsStream<TcpStream>, Caller)> {
    let shaken = tokio::time::timeout(HANDSHAKE, TlsAcceptor::from(identity.server(clients)).accept(stream)).await;
    let stream = shaken.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake within 5 s"))??;
    let caller = match Certificate::of(stream.get_ref().1.peer_certificates()) {
        Certificate::Of(id) if id.cluster() == identity.id().cluster() => Caller::Certified(id),
        Certificate::Of(_) | Certificate::Plain | Certificate::None | Certificate::Nameless(_) => Caller::Stranger,
    };
    Ok((stream, caller))
}

/// PERMISSION_DENIED with its `ErrorInfo`.
#[must_use]
pub fn denied(message: &str, data: &[(&str, &str)]) -> Status {
    let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let details =
        ErrorDetails::with_error_info(ERROR_REASON, ERROR_DOMAIN, data.collect::<std::collections::HashMap<_, _>>());
    Status::with_error_details(Code::PermissionDenied, message, details)
}
