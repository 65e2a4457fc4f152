//! Whether bytes that pass by end as a backup does: with the checksum of all
//! before. For whoever cannot read them again.

use super::TRAILER;
use sha2::{Digest as _, Sha256};

/// Bytes that pass by.
#[derive(Default)]
pub struct Whole {
    hasher: Sha256,
    /// The last bytes, which may be the checksum.
    tail: Vec<u8>,
}

impl Whole {
    /// These pass by.
    pub fn pass(&mut self, bytes: &[u8]) {
        self.tail.extend(bytes);
        let sure = self.tail.len().saturating_sub(TRAILER);
        self.hasher.update(&self.tail[..sure]);
        self.tail.drain(..sure);
    }

    /// Whether what passed by is whole.
    #[must_use]
    pub fn is_whole(self) -> bool {
        self.tail.len() == TRAILER && self.hasher.finalize()[..] == self.tail[..]
    }
}
