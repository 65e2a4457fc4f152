//! A key that was made here, and the request to have it certified. The key never leaves the machine.

use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::CertificateSigningRequestDer;

use super::{AuthorityError, fingerprint};

/// A new key and a signing request for it.
pub struct KeyOrder {
    key: KeyPair,
    request: Vec<u8>,
}

impl KeyOrder {
    /// Makes both.
    ///
    /// # Errors
    /// No randomness.
    pub fn new() -> Result<Self, AuthorityError> {
        let key = KeyPair::generate()?;
        Self::of(key)
    }

    /// A request for a key that was made before, as [`key_pem`](Self::key_pem) wrote it.
    ///
    /// # Errors
    /// It is no key.
    pub fn again(key_pem: &str) -> Result<Self, AuthorityError> {
        Self::of(KeyPair::from_pem(key_pem)?)
    }

    fn of(key: KeyPair) -> Result<Self, AuthorityError> {
        // Who it is for is decided by whoever certifies it.
        let request = CertificateParams::default().serialize_request(&key)?;
        Ok(Self { request: request.der().to_vec(), key })
    }

    /// The request (PKCS #10, DER).
    #[must_use]
    pub fn request(&self) -> &[u8] {
        &self.request
    }

    /// The key in PEM, for its file alone.
    #[must_use]
    pub fn key_pem(&self) -> String {
        self.key.serialize_pem()
    }
}

impl std::fmt::Debug for KeyOrder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("KeyOrder(…)")
    }
}

/// Checks a signing request, and returns the SHA-256 of its key as 64 hexadecimal digits: the same key, the same text.
///
/// # Errors
/// It is none, or its signature is not of its own key.
pub fn request_key(request: &[u8]) -> Result<String, AuthorityError> {
    use rcgen::PublicKeyData as _;
    let parsed = rcgen::CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request));
    let parsed = parsed.map_err(AuthorityError::Request)?;
    Ok(fingerprint(parsed.public_key.der_bytes()))
}
