//! A certificate and its key, checked: they belong together, the chain leads to the CA, nothing has expired, and the name
//! says who it is.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, UnixTime};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{ParsedCertificate, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use x509_parser::extensions::GeneralName;

use super::chain::{Judge, Trust, describe};
use super::files::{Contents, TlsFiles};
use super::handle::Clients;
use super::{Role, SpiffeId, provider};
use crate::private_file::too_open;

/// What HTTP/2 is called in a handshake (RFC 7301).
const H2: &[u8] = b"h2";
const HTTP1: &[u8] = b"http/1.1";

/// Why files make no identity. Each message names the file and what to do.
#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Others may read the key.
    #[error("the key {} has mode {mode:04o}, others than its owner have access to it; run: chmod 600 {}", path.display(), path.display())]
    KeyTooOpen {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is nothing of the kind in it, or it is no PEM.
    #[error("{} holds no {what} in PEM; it has to begin with -----BEGIN", path.display())]
    Nothing {
        /// Which.
        path: PathBuf,
        /// What was looked for.
        what: &'static str,
    },
    /// A certificate that is none.
    #[error("{} holds what is no certificate: {why}", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// What the parser says.
        why: String,
    },
    /// The key is another one's.
    #[error("the key {} does not belong to the certificate {}: replace both", key.display(), certificate.display())]
    Mismatch {
        /// The key.
        key: PathBuf,
        /// The certificate.
        certificate: PathBuf,
    },
    /// The certificate is not one that the CA certified, or not now.
    #[error("the certificate {} is of no use with the CA {}: {why}", certificate.display(), ca.display())]
    Chain {
        /// The certificate.
        certificate: PathBuf,
        /// The CA.
        ca: PathBuf,
        /// Why.
        why: String,
    },
    /// It does not say who holds it.
    #[error("the certificate {} does not say who holds it: {why}; it needs exactly one URI, spiffe://CLUSTER/ROLE/NAME", path.display())]
    Nameless {
        /// The certificate.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// It is somebody else's.
    #[error("the certificate {} is that of {found}; {wanted} is needed here", path.display())]
    Another {
        /// The certificate.
        path: PathBuf,
        /// Whose it is.
        found: SpiffeId,
        /// Who is needed.
        wanted: String,
    },
}

/// From when to when a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// Its beginning.
    pub from: SystemTime,
    /// Its end.
    pub to: SystemTime,
}

impl Validity {
    /// When two thirds of it are over: time for its successor.
    #[must_use]
    pub fn renewal(&self) -> SystemTime {
        let life = self.to.duration_since(self.from).unwrap_or_default();
        self.from + life / 3 * 2
    }
}

/// When a certificate has to count.
#[derive(Clone, Copy)]
pub(super) enum Time {
    /// At this moment.
    Now,
    /// At this moment, or up to its end if that is past.
    OrOver,
}

/// A pair that can be used, and what follows from it.
pub(super) struct Pair {
    pub(super) id: Arc<SpiffeId>,
    pub(super) validity: Validity,
    pub(super) roots: Arc<RootCertStore>,
    pub(super) contents: Contents,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    cas: Vec<CertificateDer<'static>>,
}

impl Pair {
    /// Reads the files and checks everything.
    pub(super) fn load(files: &TlsFiles, time: Time) -> Result<Self, IdentityError> {
        let contents = files.read().map_err(|(path, source)| IdentityError::Read { path, source })?;
        must_be_closed(&files.key)?;
        Self::of(files, contents, time)
    }

    fn of(files: &TlsFiles, contents: Contents, time: Time) -> Result<Self, IdentityError> {
        let chain = certificates(&files.certificate, &contents.certificate)?;
        let cas = certificates(&files.ca, &contents.ca)?;
        let nothing = || IdentityError::Nothing { path: files.key.clone(), what: "private key" };
        let key = PrivateKeyDer::from_pem_slice(&contents.key).map_err(|_| nothing())?;
        let certified = CertifiedKey::from_der(chain.clone(), key.clone_key(), &provider());
        certified
            .map_err(|_| IdentityError::Mismatch { key: files.key.clone(), certificate: files.certificate.clone() })?;
        let roots = Arc::new(roots(&files.ca, &cas)?);
        let leaf = chain.first().ok_or_else(nothing)?;
        let (id, validity) = who(leaf).map_err(|why| match why {
            Unreadable::Certificate(why) => IdentityError::Malformed { path: files.certificate.clone(), why },
            Unreadable::Name(why) => IdentityError::Nameless { path: files.certificate.clone(), why },
        })?;
        let pair = Self { id: Arc::new(id), validity, roots, contents, chain, key, cas };
        pair.must_be_certified(time).map_err(|error| IdentityError::Chain {
            certificate: files.certificate.clone(),
            ca: files.ca.clone(),
            why: describe(&error),
        })?;
        Ok(pair)
    }

    /// The chain leads to the CA, for whatever this role does with it.
    fn must_be_certified(&self, time: Time) -> Result<(), rustls::Error> {
        let Some((leaf, between)) = self.chain.split_first() else {
            return Err(rustls::Error::NoCertificatesPresented);
        };
        let end = UnixTime::since_unix_epoch(self.validity.to.duration_since(UNIX_EPOCH).unwrap_or_default());
        let now = match time {
            Time::Now => UnixTime::now(),
            Time::OrOver => UnixTime::now().min(end),
        };
        let provider = provider();
        // A monitor never dials and an operator never serves; nobody checks what they do not need.
        if self.id.role() != Role::Monitor {
            verifier(&self.roots, Clients::Required)?.verify_client_cert(leaf, between, now)?;
        }
        if self.id.role() != Role::Operator {
            let parsed = ParsedCertificate::try_from(leaf)?;
            let algorithms = provider.signature_verification_algorithms.all;
            verify_server_cert_signed_by_trust_anchor(&parsed, &self.roots, between, now, algorithms)?;
        }
        Ok(())
    }

    /// How it serves. Sessions are never resumed: whoever comes again is checked again.
    pub(super) fn server(&self, clients: Clients) -> Result<ServerConfig, rustls::Error> {
        let mut chain = self.chain.clone();
        // Whoever joins knows the CA's fingerprint alone, and learns its certificate here.
        chain.extend(self.cas.iter().filter(|ca| !self.chain.contains(ca)).cloned());
        let builder = ServerConfig::builder_with_provider(provider());
        let builder = match clients {
            Clients::Required | Clients::Joining => builder.with_protocol_versions(&[&rustls::version::TLS13])?,
            Clients::Public => builder.with_safe_default_protocol_versions()?,
        };
        let verifier = verifier(&self.roots, clients)?;
        let mut config = builder.with_client_cert_verifier(verifier).with_single_cert(chain, self.key.clone_key())?;
        config.session_storage = Arc::new(rustls::server::NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        config.alpn_protocols = match clients {
            Clients::Required | Clients::Joining => vec![H2.to_vec()],
            Clients::Public => vec![H2.to_vec(), HTTP1.to_vec()],
        };
        Ok(config)
    }

    /// How it calls whoever has this role in the same cluster.
    pub(super) fn client(&self, role: Role) -> Result<ClientConfig, rustls::Error> {
        let trust = Trust::Role { roots: self.roots.clone(), cluster: self.id.cluster().to_owned(), role };
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Judge::new(trust)))
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.resumption = rustls::client::Resumption::disabled();
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(config)
    }

    /// How a person calls the public door of a host, which shows a certificate for its name.
    pub(super) fn public_client(&self, roots: Arc<RootCertStore>) -> Result<ClientConfig, rustls::Error> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_client_auth_cert(self.chain.clone(), self.key.clone_key())?;
        config.alpn_protocols = vec![H2.to_vec()];
        Ok(config)
    }

    /// The CA's certificates.
    pub(super) fn cas(&self) -> &[CertificateDer<'static>] {
        &self.cas
    }
}

fn verifier(roots: &Arc<RootCertStore>, clients: Clients) -> Result<Arc<dyn ClientCertVerifier>, rustls::Error> {
    let builder = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider());
    let builder = match clients {
        Clients::Required => builder,
        Clients::Joining | Clients::Public => builder.allow_unauthenticated(),
    };
    builder.build().map_err(|error| rustls::Error::General(error.to_string()))
}

fn must_be_closed(key: &Path) -> Result<(), IdentityError> {
    let unreadable = |source| IdentityError::Read { path: key.to_owned(), source };
    if let Some(mode) = too_open(&std::fs::metadata(key).map_err(unreadable)?) {
        return Err(IdentityError::KeyTooOpen { path: key.to_owned(), mode });
    }
    Ok(())
}

pub(super) fn certificates(path: &Path, pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, IdentityError> {
    let malformed = |why: String| IdentityError::Malformed { path: path.to_owned(), why };
    let found = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
    let found = found.map_err(|error| malformed(error.to_string()))?;
    if found.is_empty() {
        return Err(IdentityError::Nothing { path: path.to_owned(), what: "certificate" });
    }
    Ok(found)
}

pub(super) fn roots(path: &Path, cas: &[CertificateDer<'static>]) -> Result<RootCertStore, IdentityError> {
    let mut roots = RootCertStore::empty();
    for ca in cas {
        let added = roots.add(ca.clone());
        added.map_err(|error| IdentityError::Malformed { path: path.to_owned(), why: describe(&error) })?;
    }
    Ok(roots)
}

/// Why a certificate names nobody.
pub(super) enum Unreadable {
    Certificate(String),
    Name(String),
}

impl std::fmt::Display for Unreadable {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Certificate(why) | Self::Name(why) => f.write_str(why),
        }
    }
}

/// Whose certificate it is, and from when to when.
pub(super) fn who(certificate: &CertificateDer<'_>) -> Result<(SpiffeId, Validity), Unreadable> {
    let (_, parsed) =
        x509_parser::parse_x509_certificate(certificate).map_err(|error| Unreadable::Certificate(error.to_string()))?;
    let names = parsed.subject_alternative_name().map_err(|error| Unreadable::Certificate(error.to_string()))?;
    let names = names.map(|names| names.value.general_names.as_slice()).unwrap_or_default();
    let uris: Vec<&str> =
        names.iter().filter_map(|name| if let GeneralName::URI(uri) = name { Some(*uri) } else { None }).collect();
    let [uri] = uris.as_slice() else { return Err(Unreadable::Name(format!("it has {} URIs", uris.len()))) };
    let id = uri.parse::<SpiffeId>().map_err(|error| Unreadable::Name(error.to_string()))?;
    let at = |seconds: i64| UNIX_EPOCH + Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    let validity = parsed.validity();
    Ok((id, Validity { from: at(validity.not_before.timestamp()), to: at(validity.not_after.timestamp()) }))
}
