//! What equal states have in common: 32 bytes that replicas with equal states
//! show, and replicas with different ones do not.
//!
//! It is the sum of the SHA-256 of all rows, each as MessagePack with field
//! names, in four lanes of 64 bits. The order does not matter, so it can be
//! taken from rows however they are stored. It is made when somebody asks (a
//! few hundred milliseconds for 100,000 rows): kept up with each command it
//! would cost two hashes for every row that changes, and it is asked for by
//! tests, checks and backups only. It tells mistakes, not forgers.

use crate::{Frozen, Row};
use sha2::{Digest as _, Sha256};

/// Why there is no digest.
#[derive(Debug, thiserror::Error)]
#[error("a row cannot be written down for its digest")]
pub struct DigestError(#[from] rmp_serde::encode::Error);

/// The digest of all these rows, in any order.
///
/// # Errors
/// A row cannot be encoded.
pub fn of_rows(rows: impl IntoIterator<Item = Row>) -> Result<[u8; 32], DigestError> {
    let mut sum = Sum::default();
    let mut bytes = Vec::new();
    for row in rows {
        bytes.clear();
        serde::Serialize::serialize(&row, &mut rmp_serde::Serializer::new(&mut bytes).with_struct_map())?;
        sum.add(&bytes);
    }
    Ok(sum.digest())
}

/// A digest while it is made, row by row.
#[derive(Debug, Clone, Default)]
pub struct Sum([u64; 4]);

impl Sum {
    /// Adds a row as it is written down: a later version that has more fields
    /// comes to the same digest of what an earlier one wrote.
    pub fn add(&mut self, row: &[u8]) {
        for (lane, part) in self.0.iter_mut().zip(Sha256::digest(row).chunks_exact(8)) {
            *lane = part.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)).wrapping_add(*lane);
        }
    }

    /// The digest of all that was added.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut digest = [0; 32];
        for (to, lane) in digest.chunks_exact_mut(8).zip(self.0) {
            to.copy_from_slice(&lane.to_be_bytes());
        }
        digest
    }
}

/// The digest of a state.
///
/// # Errors
/// A row cannot be encoded.
pub fn of(state: &Frozen) -> Result<[u8; 32], DigestError> {
    of_rows(state.rows())
}
