//! The built-in CA: a self-signed certificate and its key, and certificates that it signs. ECDSA on P-256, which every TLS
//! library knows.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, CertificateSigningRequestParams, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose, PublicKeyData, SanType, SerialNumber,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer};
use time::OffsetDateTime;

use super::pair::certificates;
use super::{SpiffeId, fingerprint};
use crate::private_file::too_open;

/// A clock that is behind by so much takes a new certificate all the same; of a short one a tenth.
const SKEW: Duration = Duration::from_secs(5 * 60);
/// How long a CA counts: ten years.
const CA_LIFE: Duration = Duration::from_secs(10 * 365 * 24 * 3600);

/// Why nothing is certified.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A file of the CA cannot be used.
    #[error("cannot use {} of the CA: {why}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The key is not the CA's.
    #[error("{} is not the key of the CA in {}; give the key that belongs to it", key.display(), certificate.display())]
    Mismatch {
        /// The key.
        key: PathBuf,
        /// The CA's certificate.
        certificate: PathBuf,
    },
    /// A request that is none, or whose signature is not of its own key.
    #[error("this is no signing request: {0}")]
    Request(#[source] rcgen::Error),
    /// A name that no certificate can carry.
    #[error("{0:?} is neither a host's name nor an address")]
    Host(String),
    /// Cryptography failed.
    #[error("cannot sign a certificate")]
    Signing(#[from] rcgen::Error),
    /// The operating system gave no random bytes.
    #[error("the operating system gives no random bytes")]
    NoRandomness,
}

/// A CA that can sign. Clones share it; the key is never shown.
#[derive(Clone)]
pub struct Authority(Arc<Inner>);

struct Inner {
    issuer: Issuer<'static, KeyPair>,
    certificate: CertificateDer<'static>,
}

/// A certificate that was signed now.
#[derive(Clone, Debug)]
pub struct Signed {
    /// In PEM.
    pub pem: String,
    /// When it ends.
    pub until: SystemTime,
}

impl Authority {
    /// A new CA, and its certificate and key in PEM.
    ///
    /// # Errors
    /// No randomness.
    pub fn create(cluster: &str) -> Result<(Self, String, String), AuthorityError> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::default();
        lives(&mut params, CA_LIFE);
        params.distinguished_name = named(&format!("{cluster} CA"));
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.serial_number = Some(serial()?);
        let certificate = params.self_signed(&key)?;
        let (pem, key_pem, der) = (certificate.pem(), key.serialize_pem(), certificate.der().clone());
        let issuer = Issuer::new(params, key);
        Ok((Self(Arc::new(Inner { issuer, certificate: der })), pem, key_pem))
    }

    /// One whose certificate and key are in files.
    ///
    /// # Errors
    /// They cannot be read, do not belong together, or others may read the key.
    pub fn load(certificate: &Path, key: &Path) -> Result<Self, AuthorityError> {
        let file =
            |path: &Path, why: &dyn fmt::Display| AuthorityError::File { path: path.to_owned(), why: why.to_string() };
        if let Some(mode) = too_open(&std::fs::metadata(key).map_err(|e| file(key, &e))?) {
            return Err(file(key, &format_args!("it has mode {mode:04o}; run: chmod 600 {}", key.display())));
        }
        let pem = super::files::read(certificate).map_err(|e| file(certificate, &e))?;
        let key_pem = String::from_utf8(super::files::read(key).map_err(|e| file(key, &e))?);
        let pair =
            key_pem.map_err(|e| file(key, &e)).and_then(|pem| KeyPair::from_pem(&pem).map_err(|e| file(key, &e)))?;
        let all = certificates(certificate, &pem).map_err(|e| file(certificate, &e))?;
        // While a CA is exchanged there are two: the one whose key this is.
        let own = all
            .into_iter()
            .find(|one| holds(one, &pair))
            .ok_or_else(|| AuthorityError::Mismatch { key: key.to_owned(), certificate: certificate.to_owned() })?;
        let issuer = Issuer::from_ca_cert_der(&own, pair).map_err(|e| file(certificate, &e))?;
        Ok(Self(Arc::new(Inner { issuer, certificate: own })))
    }

    /// The fingerprint of its certificate.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        fingerprint(&self.0.certificate)
    }

    /// A new key, and a certificate for it that counts for so long. `hosts`: names and addresses under which it serves
    /// those who do not know roles. Both in PEM, the key second.
    ///
    /// # Errors
    /// A host is none.
    pub fn issue(&self, id: &SpiffeId, hosts: &[String], life: Duration) -> Result<(Signed, String), AuthorityError> {
        let key = KeyPair::generate()?;
        let (params, until) = certified(id, hosts, life)?;
        let signed = params.signed_by(&key, &self.0.issuer)?;
        Ok((Signed { pem: signed.pem(), until }, key.serialize_pem()))
    }

    /// A certificate for the key of a signing request (PKCS #10, DER), which proves by its signature that whoever asks has
    /// it. Nothing else of the request counts: who it is for was decided elsewhere.
    ///
    /// # Errors
    /// It is no request.
    pub fn sign(&self, request: &[u8], id: &SpiffeId, life: Duration) -> Result<Signed, AuthorityError> {
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request));
        let request = request.map_err(AuthorityError::Request)?;
        let (params, until) = certified(id, &[], life)?;
        let request = CertificateSigningRequestParams { params, public_key: request.public_key };
        let signed: Certificate = request.signed_by(&self.0.issuer)?;
        Ok(Signed { pem: signed.pem(), until })
    }
}

fn holds(certificate: &CertificateDer<'_>, key: &KeyPair) -> bool {
    let parsed = x509_parser::parse_x509_certificate(certificate);
    parsed.is_ok_and(|(_, parsed)| *parsed.public_key().subject_public_key.data == *key.der_bytes())
}

fn certified(
    id: &SpiffeId,
    hosts: &[String],
    life: Duration,
) -> Result<(CertificateParams, SystemTime), AuthorityError> {
    let mut params = CertificateParams::default();
    let until = lives(&mut params, life);
    params.distinguished_name = named(&id.actor());
    let uri = id.to_string().try_into().map_err(AuthorityError::Signing)?;
    params.subject_alt_names = vec![SanType::URI(uri)];
    for host in hosts {
        let san = match host.parse::<IpAddr>() {
            Ok(address) => SanType::IpAddress(address),
            Err(_) => SanType::DnsName(host.as_str().try_into().map_err(|_| AuthorityError::Host(host.clone()))?),
        };
        params.subject_alt_names.push(san);
    }
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    params.use_authority_key_identifier_extension = true;
    params.serial_number = Some(serial()?);
    Ok((params, until))
}

/// Counts from a moment ago for so long; returns its end.
fn lives(params: &mut CertificateParams, life: Duration) -> SystemTime {
    let now = SystemTime::now();
    let (from, until) = (now - SKEW.min(life / 10), now + life);
    (params.not_before, params.not_after) = (OffsetDateTime::from(from), OffsetDateTime::from(until));
    until
}

fn named(common: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    // 64 characters at most (RFC 5280, ub-common-name); nobody reads it but people.
    name.push(DnType::CommonName, common.chars().take(64).collect::<String>());
    name
}

/// 16 random bytes, positive (RFC 5280 section 4.1.2.2).
fn serial() -> Result<SerialNumber, AuthorityError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|_| AuthorityError::NoRandomness)?;
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Ok(SerialNumber::from_slice(&bytes))
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Authority").field(&self.fingerprint()).finish()
    }
}
