//! A join token: 256 random bits as text. The registry keeps its SHA-256: with so many bits nothing slower is needed.

use service_host::secret::{Secret, SecretError};
use sha2::{Digest, Sha256};

/// Bytes of a token that are looked at; ours have 64.
pub(crate) const MAX_TOKEN: usize = 256;

/// A new one.
pub(crate) fn new_token() -> Result<Secret, SecretError> {
    Secret::try_generate()
}

/// What is kept of it.
pub(crate) fn hash(token: &str) -> String {
    Sha256::digest(token.trim().as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}
