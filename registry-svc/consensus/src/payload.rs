//! A batch of commands as bytes: encoded once by whoever proposes it, and
//! passed on untouched to the log, the peers and the machine.

use bytes::Bytes;

/// An encoded batch of commands. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Payload(pub Bytes);
