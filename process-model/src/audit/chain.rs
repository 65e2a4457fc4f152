//! The chain: each entry's hash covers the hash before it, so that nothing can
//! be changed, left out, put in or moved without all later hashes being wrong.
//!
//! ```text
//! hash = SHA-256("pm-audit-1\n" ‖ previous ‖ canonical bytes of the entry)
//! anchor ─▶ entry ─▶ entry ─▶ … ─▶ head
//! ```
//! The anchor is the last entry that is no longer kept (or the one before the
//! first, with hash zero): what is dropped by age leaves the rest verifiable.

use super::{AuditEntry, AuditHash, encode};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// Tells these hashes from all others, and this encoding from later ones.
const DOMAIN: &[u8] = b"pm-audit-1\n";

/// A place in the chain: an entry's number and hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Anchor {
    /// The entry's number; 0: before the first.
    pub number: u64,
    /// Its hash; zero: it has none.
    pub hash: AuditHash,
}

impl Anchor {
    /// The place of an entry.
    #[must_use]
    pub fn of(entry: &AuditEntry) -> Self {
        Self { number: entry.number, hash: entry.hash }
    }
}

/// The hash of an entry that follows `previous`.
#[must_use]
pub fn link(previous: &AuditHash, entry: &AuditEntry) -> AuditHash {
    let hash = Sha256::new().chain_update(DOMAIN).chain_update(previous.bytes()).chain_update(encode(entry)).finalize();
    AuditHash::new(hash.into())
}

/// Where and how a chain is broken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Break {
    /// An entry is missing, inserted or moved.
    #[error("entry {found} stands where entry {expected} has to be: entries were removed, put in or moved")]
    Number {
        /// The number that has to come.
        expected: u64,
        /// The number that came.
        found: u64,
    },
    /// An entry does not go on from the one before.
    #[error("entry {number} does not follow the one before it: its previous hash is {found}, not {expected}")]
    Previous {
        /// The entry.
        number: u64,
        /// The hash before it.
        expected: AuditHash,
        /// What it says.
        found: AuditHash,
    },
    /// What an entry says is not what was hashed.
    #[error("entry {number} was changed: its hash is {found}, its content gives {expected}")]
    Content {
        /// The entry.
        number: u64,
        /// What its content gives.
        expected: AuditHash,
        /// What it says.
        found: AuditHash,
    },
    /// The newest entries are not the ones that the registry knows.
    #[error(
        "the log ends with entry {found}, but its head is entry {expected}: the newest entries were removed or replaced"
    )]
    Head {
        /// Number of the head.
        expected: u64,
        /// Number of the last entry.
        found: u64,
    },
}

impl Break {
    /// The number of the first entry that is not as it has to be.
    #[must_use]
    pub fn number(&self) -> u64 {
        match self {
            Self::Number { expected, .. } => *expected,
            Self::Previous { number, .. } | Self::Content { number, .. } => *number,
            Self::Head { found, .. } => found.saturating_add(1),
        }
    }
}

/// What a whole chain came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verified {
    /// Entries whose place and content were confirmed.
    pub entries: u64,
    /// Entries of an earlier version, which stand before the chain.
    pub before_chain: u64,
    /// The newest entry.
    pub head: Anchor,
}

/// Follows a chain entry by entry, oldest first.
#[derive(Debug, Clone)]
pub struct Verifier {
    anchor: Anchor,
    at: Anchor,
    entries: u64,
    before_chain: u64,
}

impl Verifier {
    /// Begins after the anchor.
    #[must_use]
    pub fn new(anchor: Anchor) -> Self {
        Self { anchor, at: anchor, entries: 0, before_chain: 0 }
    }

    /// Takes the next entry.
    ///
    /// # Errors
    /// It does not follow, or is not what was hashed.
    pub fn check(&mut self, entry: &AuditEntry) -> Result<(), Break> {
        let number = entry.number;
        if self.is_before_chain(entry) {
            self.before_chain += 1;
            return Ok(());
        }
        let expected = self.at.number.saturating_add(1);
        if number != expected {
            return Err(Break::Number { expected, found: number });
        }
        if entry.previous != self.at.hash {
            return Err(Break::Previous { number, expected: self.at.hash, found: entry.previous });
        }
        let expected = link(&self.at.hash, entry);
        if entry.hash != expected {
            return Err(Break::Content { number, expected, found: entry.hash });
        }
        self.at = Anchor::of(entry);
        self.entries += 1;
        Ok(())
    }

    /// Entries of the first version have no hash. They can only stand before
    /// a chain that begins with them, and so without a hash to go on from.
    fn is_before_chain(&self, entry: &AuditEntry) -> bool {
        let unhashed = entry.hash.is_zero() && entry.previous.is_zero();
        self.entries == 0 && unhashed && self.anchor.hash.is_zero() && entry.number <= self.anchor.number
    }

    /// Ends it. `head`: the newest entry as the registry counts it, when that
    /// is known; without it entries missing at the end cannot be noticed.
    ///
    /// # Errors
    /// The last entry is not the head.
    pub fn finish(self, head: Option<Anchor>) -> Result<Verified, Break> {
        match head {
            Some(head) if head != self.at => Err(Break::Head { expected: head.number, found: self.at.number }),
            Some(_) | None => Ok(Verified { entries: self.entries, before_chain: self.before_chain, head: self.at }),
        }
    }
}

#[cfg(test)]
mod tests;
