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
    let mut lanes = [0u64; 4];
    let mut bytes = Vec::new();
    for row in rows {
        bytes.clear();
        serde::Serialize::serialize(&row, &mut rmp_serde::Serializer::new(&mut bytes).with_struct_map())?;
        for (lane, part) in lanes.iter_mut().zip(Sha256::digest(&bytes).chunks_exact(8)) {
            *lane = part.iter().fold(0, |sum, byte| (sum << 8) | u64::from(*byte)).wrapping_add(*lane);
        }
    }
    let mut digest = [0; 32];
    for (to, lane) in digest.chunks_exact_mut(8).zip(lanes) {
        to.copy_from_slice(&lane.to_be_bytes());
    }
    Ok(digest)
}

/// The digest of a state.
///
/// # Errors
/// A row cannot be encoded.
pub fn of(state: &Frozen) -> Result<[u8; 32], DigestError> {
    of_rows(state.rows())
}
