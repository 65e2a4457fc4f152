//! Who a service is, as its certificate says, and who is there at the other end of a connection.
//!
//! Enters: files with a certificate, its key and the certificates of the cluster's CA. Leaves: connections on which both ends
//! have shown who they are, as [`SpiffeId`]. Decides: whether a pair of files can be used, and takes their place when they
//! change; connections that are open go on.
//!
//! ```text
//! files ─▶ Pair: checked ─▶ Identity ─┬─▶ server's side of a handshake ─▶ Caller
//!   └ change (inotify) ─▶ checked again ┘─▶ client's side: Secured
//! ```
//!
//! | file | what |
//! |---|---|
//! | `spiffe` | role and name: `spiffe://CLUSTER/ROLE/NAME` |
//! | `files`, `pair` | what is read, and what has to hold of it |
//! | `handle`, `watch` | the pair in force, and its successor |
//! | `chain`, `secured` | the client's side: who may answer |
//! | `caller` | the server's side: who called |
//! | `authority`, `order` | the built-in CA, and what it certifies |
//! | `args` | the options of every server |

mod args;
mod authority;
mod caller;
mod chain;
mod files;
mod handle;
mod order;
mod pair;
mod secured;
mod spiffe;
mod watch;

pub use args::{ListenError, TlsArgs, TlsArgsError};
pub use authority::{Authority, AuthorityError, Signed};
pub use caller::{Caller, accept, denied};
pub(crate) use caller::{Certificate, HANDSHAKE, Shown};
pub use chain::fingerprint;
pub use files::{CA_FILE, CERTIFICATE_FILE, KEY_FILE, TlsFiles};
pub use handle::{Clients, Identity};
pub use order::{KeyOrder, request_key};
pub use pair::{IdentityError, Validity};
pub use secured::{Secured, SecuredStream, dial};
pub use spiffe::{InvalidSpiffeId, Role, SpiffeId};

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The one implementation of cryptography that is built in.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}
