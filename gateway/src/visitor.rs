//! Who makes a request, as far as the gateway knows: the role that the token
//! stands for, or a certificate, and the address that the connection came from.

use crate::access::Role;
use std::net::SocketAddr;
use std::sync::Arc;

/// The other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Peer {
    /// Where it is; a proxy, if there is one between.
    pub(crate) address: SocketAddr,
    /// The operator whose certificate it has shown.
    pub(crate) operator: Option<Arc<str>>,
}

/// Who makes a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// What the token or the certificate allows.
    pub(crate) role: Role,
    /// The other end of the connection; a proxy's, if there is one between.
    pub(crate) peer: SocketAddr,
    /// The operator whose certificate it is; `None`: a token.
    pub(crate) operator: Option<Arc<str>>,
}

impl Visitor {
    /// How the audit log names it.
    pub(crate) fn actor(&self) -> String {
        match &self.operator {
            Some(name) => format!("operator:{name}"),
            None => self.role.actor().to_owned(),
        }
    }
}
