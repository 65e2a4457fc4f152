//! [`Secured`]: the client's side of a handshake, whoever is called.

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::chain::{Judge, Trust, describe};
use super::pair::{IdentityError, certificates, roots, who};
use super::{Identity, Role, SpiffeId, provider};
use crate::transport::{Dial, Endpoints, TransportError};

/// An encrypted connection that a client has opened.
pub type SecuredStream = TlsStream<TcpStream>;

/// A handshake that takes longer has failed; a connection attempt that waits for it has bounds of its own, too.
const HANDSHAKE: Duration = Duration::from_secs(5);

/// How connections to a service are encrypted, and who may answer.
#[derive(Clone)]
pub struct Secured(Kind);

#[derive(Clone)]
enum Kind {
    /// A service of the cluster, which shows a certificate with this role.
    Service { identity: Identity, role: Role },
    /// A server that shows a certificate for its host's name, or one under a known fingerprint.
    Fixed(Arc<ClientConfig>),
}

impl Secured {
    /// To services with this role, as `identity`.
    #[must_use]
    pub fn service(identity: &Identity, role: Role) -> Self {
        Self(Kind::Service { identity: identity.clone(), role })
    }

    /// To a host that shows a certificate under this CA for its name; `identity`: as whom, if as anybody. Without a file
    /// the CA is the identity's own.
    ///
    /// # Errors
    /// The file is of no use, or there is neither.
    pub fn public(ca: Option<&Path>, identity: Option<&Identity>) -> Result<Self, IdentityError> {
        let store = match ca {
            Some(path) => {
                let read = super::files::read(path);
                let pem = read.map_err(|source| IdentityError::Read { path: path.to_owned(), source })?;
                Some(Arc::new(roots(path, &certificates(path, &pem)?)?))
            }
            None => None,
        };
        let path = ca.map(Path::to_owned).or_else(|| identity.map(|own| own.files().ca.clone())).unwrap_or_default();
        let unusable = |error: rustls::Error| IdentityError::Malformed { path: path.clone(), why: describe(&error) };
        let config = match (identity, store) {
            (Some(identity), store) => identity.public_client(store).map_err(unusable)?,
            (None, store) => {
                let store = store.unwrap_or_else(|| Arc::new(rustls::RootCertStore::empty()));
                let mut config = ClientConfig::builder_with_provider(provider())
                    .with_safe_default_protocol_versions()
                    .map_err(unusable)?
                    .with_root_certificates(store)
                    .with_no_client_auth();
                config.alpn_protocols = vec![b"h2".to_vec()];
                config
            }
        };
        Ok(Self(Kind::Fixed(Arc::new(config))))
    }

    /// To a registry under a CA with this fingerprint, as nobody.
    ///
    /// # Errors
    /// Cryptography cannot be set up.
    pub fn joining(fingerprint: &str) -> Result<Self, IdentityError> {
        let unusable =
            |error: rustls::Error| IdentityError::Malformed { path: Default::default(), why: describe(&error) };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])
            .map_err(unusable)?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Judge::new(Trust::Fingerprint(
                fingerprint.to_ascii_lowercase(),
            ))))
            .with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Self(Kind::Fixed(Arc::new(config))))
    }

    /// Whether a service of the cluster is called by another one.
    pub(crate) fn is_mutual(&self) -> bool {
        match &self.0 {
            Kind::Service { .. } => true,
            Kind::Fixed(_) => false,
        }
    }

    /// The handshake on a connection to `host`. Returns who answered, if its certificate says so.
    ///
    /// # Errors
    /// Whoever answers is not whom we call, does not take us, or says nothing.
    pub async fn handshake(&self, tcp: TcpStream, host: &str) -> io::Result<(SecuredStream, Option<Arc<SpiffeId>>)> {
        let config = match &self.0 {
            Kind::Service { identity, role } => identity.client(*role),
            Kind::Fixed(config) => Some(config.clone()),
        };
        let config = config.ok_or_else(|| io::Error::other("there is no such role"))?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned()).map_err(io::Error::other)?;
        let shaken = tokio::time::timeout(HANDSHAKE, TlsConnector::from(config).connect(name, tcp)).await;
        let stream = shaken.map_err(|_| io::Error::new(io::ErrorKind::TimedOut, "no TLS handshake within 5 s"))?;
        let stream = stream.map_err(|error| told(&error))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let id = shown.and_then(|shown| who(shown).ok()).map(|(id, _)| Arc::new(id));
        Ok((stream, id))
    }
}

/// Words for people: what rustls says, said by whom it concerns.
fn told(error: &io::Error) -> io::Error {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let why = match inner {
        Some(rustls::Error::AlertReceived(alert)) => format!("the other end ended the TLS handshake: {alert:?}"),
        Some(rustls::Error::InvalidMessage(_)) => {
            "what answers does not speak TLS; write http:// if it is meant to".to_owned()
        }
        Some(inner) => format!("whoever answers is not trusted: {}", describe(inner)),
        None => format!("the TLS handshake broke off: {error}"),
    };
    io::Error::new(error.kind(), why)
}

/// How to reach a service with this role: encrypted if this process has an identity, and in plain text if not. Addresses
/// have to say the same.
///
/// # Errors
/// An address is `http://` although there is an identity, or `https://` without one.
pub fn dial(endpoints: &Endpoints, identity: Option<&Identity>, role: Role) -> Result<Dial, TransportError> {
    match identity {
        Some(identity) => endpoints.secured(Secured::service(identity, role)),
        None => endpoints.plain(),
    }
}

impl fmt::Debug for Secured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Service { identity, role } => f.debug_tuple("Secured").field(identity).field(role).finish(),
            Kind::Fixed(_) => f.write_str("Secured(fixed)"),
        }
    }
}
