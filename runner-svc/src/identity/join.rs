//! A node joins: it makes its key, shows the token to a registry whose CA has the fingerprint that it was told, and keeps the
//! certificate that it gets. Cut off anywhere it can be done again.

use super::kept::{Given, Kept, KeptError};
use pm_proto::v1;
use pm_proto::v1::node_identity_service_client::NodeIdentityServiceClient;
use process_model::NodeName;
use service_host::client::ClientContext;
use service_host::identity::{AuthorityError, Identity, IdentityError, KeyOrder, Secured};
use service_host::secret::Secret;
use service_host::transport::{Endpoints, TransportError};
use std::path::{Path, PathBuf};
use tonic::service::interceptor::InterceptedService;

/// What joining needs.
#[derive(Debug, Clone)]
pub struct JoinOptions {
    /// The runner's state directory.
    pub state_dir: PathBuf,
    /// The name that this node wants.
    pub node: NodeName,
    /// Where the registry is, as https://HOST:PORT.
    pub registry: Endpoints,
    /// Where the monitor is, for the runner.
    pub monitor: Option<Endpoints>,
    /// SHA-256 of the CA's certificate.
    pub ca_fingerprint: String,
    /// The token.
    pub token: Secret,
}

/// Why a node did not join.
#[derive(Debug, thiserror::Error)]
pub enum JoinError {
    /// It has joined before.
    #[error("this node has joined as {as_whom} already, its identity is in {}; remove that folder to join again", dir.display())]
    Joined {
        /// Where it is kept.
        dir: PathBuf,
        /// As whom.
        as_whom: String,
    },
    /// The registry's address or the fingerprint is of no use.
    #[error("--ca-fingerprint: {0:?} is no fingerprint; it has 64 hexadecimal digits, after sha256:")]
    Fingerprint(String),
    /// The token would travel in plain text.
    #[error(transparent)]
    Transport(#[from] TransportError),
    /// Cryptography failed.
    #[error(transparent)]
    Key(#[from] AuthorityError),
    /// The certificates are of no use.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// It cannot be kept.
    #[error(transparent)]
    Kept(#[from] KeptError),
    /// The registry refuses, or does not answer.
    #[error("the registry: {}", .0.message())]
    Refused(Box<tonic::Status>),
    /// The registry gave a certificate of somebody else.
    #[error("the registry certified {0}, and not this node")]
    Another(String),
    /// The state directory cannot be made.
    #[error("cannot make {}: {source}", path.display())]
    Directory {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Joins; the runner of this state directory has the identity from then on.
///
/// # Errors
/// As [`JoinError`].
pub async fn join(options: JoinOptions) -> Result<Identity, JoinError> {
    let JoinOptions { state_dir, node, registry, monitor, ca_fingerprint, token } = options;
    let kept = Kept::of(&state_dir);
    if kept.exists() {
        let as_whom =
            kept.load().map_or_else(|error| format!("somebody ({error})"), |identity| identity.id().to_string());
        return Err(JoinError::Joined { dir: kept.dir().to_owned(), as_whom });
    }
    let fingerprint = fingerprint(&ca_fingerprint)?;
    make(&state_dir)?;
    let order = KeyOrder::new()?;
    let order = KeyOrder::again(&kept.pending_key(|| order.key_pem())?)?;
    let channel = registry.secured(Secured::joining(&fingerprint)?)?.channel()?;
    let mut client = NodeIdentityServiceClient::new(InterceptedService::new(channel, ClientContext::without_token()));
    let request = v1::JoinNodeRequest {
        token: token.expose().to_owned(),
        node: node.to_string(),
        signing_request: order.request().to_vec().into(),
    };
    let answer = client.join_node(request).await.map_err(|status| JoinError::Refused(Box::new(status)))?.into_inner();
    let registries = if answer.registries.is_empty() { registry.to_string() } else { answer.registries.join(",") };
    let monitor = monitor.map(|monitor| monitor.to_string());
    let key = order.key_pem();
    let given = Given {
        certificate: &answer.certificate,
        key: &key,
        ca: &answer.ca,
        registry: &registries,
        monitor: monitor.as_deref(),
    };
    let identity = kept.keep(&given)?;
    if identity.id().name() != node.as_str() {
        return Err(JoinError::Another(identity.id().to_string()));
    }
    Ok(identity)
}

/// As openssl and `pmctl` write it: with or without `sha256:`, with or without colons.
fn fingerprint(text: &str) -> Result<String, JoinError> {
    let bare = text.trim().strip_prefix("sha256:").unwrap_or(text.trim());
    let digits: String = bare.chars().filter(|c| *c != ':').collect();
    if digits.len() == 64 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        return Ok(digits.to_ascii_lowercase());
    }
    Err(JoinError::Fingerprint(text.to_owned()))
}

fn make(dir: &Path) -> Result<(), JoinError> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new().recursive(true).mode(0o700).create(dir);
    made.map_err(|source| JoinError::Directory { path: dir.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use super::fingerprint;

    #[test]
    fn a_fingerprint_is_read_as_people_have_it() {
        let plain = "ab".repeat(32);
        let colons = ["AB"; 32].join(":");
        for text in [plain.clone(), format!("sha256:{plain}"), colons, format!(" sha256:{plain}\n")] {
            assert_eq!(fingerprint(&text).unwrap(), plain, "{text}");
        }
        for text in ["", "sha256:", "abc", &"zz".repeat(32), &"ab".repeat(33)] {
            assert!(fingerprint(text).is_err(), "{text}");
        }
    }
}
