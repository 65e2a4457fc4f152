//! The client's judgement of who answers: the certificate leads to the CA, is that of the cluster, and has the role that was
//! called. The host's name does not matter between services: a replica that moves keeps its certificate, and no name server
//! can lead a call to somebody else.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::verify_server_cert_signed_by_trust_anchor;
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use sha2::{Digest, Sha256};

use super::pair::who;
use super::{Role, SpiffeId, provider};

/// The SHA-256 of a certificate, a key or a file, as 64 hexadecimal digits.
#[must_use]
pub fn fingerprint(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Words for whoever has to mend it.
pub(super) fn describe(error: &Error) -> String {
    use CertificateError as Certificate;
    let Error::InvalidCertificate(why) = error else { return error.to_string() };
    let told = if matches!(why, Certificate::Expired | Certificate::ExpiredContext { .. }) {
        "it has expired, or the CA has; make a new one"
    } else if matches!(why, Certificate::NotValidYet | Certificate::NotValidYetContext { .. }) {
        "it does not count yet; set the clock right"
    } else if matches!(why, Certificate::UnknownIssuer | Certificate::BadSignature) {
        // The latter: a CA of the same name with another key.
        "another CA has certified it"
    } else if matches!(why, Certificate::InvalidPurpose | Certificate::InvalidPurposeContext { .. }) {
        "it is not for this purpose; it needs the extended key usages serverAuth and clientAuth"
    } else {
        return error.to_string();
    };
    told.to_owned()
}

/// Who may answer.
#[derive(Debug)]
pub(super) enum Trust {
    /// Whoever has a role in the cluster.
    Role { roots: Arc<RootCertStore>, cluster: String, role: Role },
    /// A registry under a CA of which only the fingerprint is known: for whoever joins. What the cluster is called is learned
    /// from the certificates that are shown; the fingerprint vouches for them.
    Fingerprint(String),
}

/// Lets in whom it trusts.
#[derive(Debug)]
pub(super) struct Judge {
    trust: Trust,
    provider: Arc<CryptoProvider>,
}

impl Judge {
    pub(super) fn new(trust: Trust) -> Self {
        Self { trust, provider: provider() }
    }

    fn must_lead_to(
        &self,
        roots: &RootCertStore,
        end_entity: &CertificateDer<'_>,
        between: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<SpiffeId, Error> {
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, roots, between, now, algorithms)?;
        let (id, _) = who(end_entity).map_err(|why| Error::General(format!("it does not say who it is: {why}")))?;
        Ok(id)
    }
}

impl ServerCertVerifier for Judge {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        match &self.trust {
            Trust::Role { roots, cluster, role } => {
                let id = self.must_lead_to(roots, end_entity, intermediates, now)?;
                if id.cluster() != cluster || id.role() != *role {
                    return Err(Error::General(format!("it is {id}, and no {role} of cluster {cluster}")));
                }
            }
            Trust::Fingerprint(wanted) => {
                let Some(ca) = intermediates.iter().find(|one| fingerprint(one) == *wanted) else {
                    let why = "none of its certificates has the fingerprint that --ca-fingerprint names";
                    return Err(Error::General(why.to_owned()));
                };
                let mut roots = RootCertStore::empty();
                roots.add(ca.clone().into_owned())?;
                let id = self.must_lead_to(&roots, end_entity, intermediates, now)?;
                if id.role() != Role::Registry {
                    return Err(Error::General(format!("it is {id}, and no registry")));
                }
            }
        }
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
