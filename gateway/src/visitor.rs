//! Who makes a request, as far as the gateway knows: the role that the token
//! stands for, and the address that the connection came from.

use crate::access::Role;
use std::net::SocketAddr;

/// Who makes a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Visitor {
    /// What the token allows.
    pub(crate) role: Role,
    /// The other end of the connection; a proxy's, if there is one between.
    pub(crate) peer: SocketAddr,
}
