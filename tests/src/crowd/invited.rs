//! A node's name, and how it reaches the registry.

use service_host::identity::{Identity, Role, TlsFiles, dial};
use service_host::secret::Secret;
use service_host::transport::{Dial, Endpoints};

/// A node that may join a crowd.
pub struct Invited {
    pub(super) name: String,
    pub(super) dial: Dial,
    pub(super) token: Secret,
}

impl Invited {
    /// In plain text, with the token of the services. `registries`: addresses, with commas between.
    ///
    /// # Panics
    /// They are none, or the token is.
    #[must_use]
    pub fn with_token(name: String, registries: &str, token: &str) -> Self {
        let endpoints: Endpoints = registries.parse().expect("these are addresses");
        Self { name, dial: endpoints.dial(), token: Secret::new(token).expect("a token is plain text") }
    }

    /// Over TLS, with the node's own certificate.
    ///
    /// # Panics
    /// They are no addresses of TLS, or the certificate is of no use.
    #[must_use]
    pub fn with_certificate(name: String, registries: &str, files: TlsFiles) -> Self {
        let endpoints: Endpoints = registries.parse().expect("these are addresses");
        let identity = Identity::load(files, Role::Runner).expect("the certificate is of use");
        let dial = dial(&endpoints, Some(&identity), Role::Registry).expect("these are addresses of TLS");
        Self { name, dial, token: Secret::generate() }
    }
}
