//! A batch of commands as bytes: encoded once by whoever proposes it, and
//! passed on untouched to the log, the peers and the machine.

use bytes::Bytes;

/// An encoded batch of commands. Its first byte names its format, from
/// [`FIRST_FORMAT`](Self::FIRST_FORMAT) on; lower ones are the consensus' own
/// records in the same log. Cloning shares the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload(Bytes);

impl Payload {
    /// The lowest first byte of a payload.
    pub const FIRST_FORMAT: u8 = 16;

    /// A payload, if these bytes may be one: not empty, and of a format from
    /// [`FIRST_FORMAT`](Self::FIRST_FORMAT) on.
    #[must_use]
    pub fn new(bytes: Bytes) -> Option<Self> {
        bytes.first().is_some_and(|format| *format >= Self::FIRST_FORMAT).then_some(Self(bytes))
    }

    /// The bytes, first the format.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0
    }
}
