//! The first bytes of a snapshot. All of it is decided by the state and its
//! position, so that equal states at equal positions are equal files.
//!
//! ```text
//! "PMSNAP2\n" ‖ format (4) ‖ length of the description (4) ‖ length of the body (8) ‖ rows (8)
//!   ‖ SHA-256 of the body (32) ‖ crc32 of all before and of the description (4) ‖ description (MessagePack)
//! body: { length (4) ‖ row (MessagePack) }…
//! ```
//! Numbers are big endian.

use super::SnapshotError;
use crate::codec;
use crate::io::applied_record::{self, AppliedRecord};
use registry_consensus::{Applied, SnapshotMeta};
use sha2::{Digest, Sha256};

const MAGIC: &[u8; 8] = b"PMSNAP2\n";
const FORMAT: u32 = 2;
/// Bytes before the description.
pub(super) const FIXED: usize = 8 + 4 + 4 + 8 + 8 + 32 + 4;
/// The description of a cluster of some replicas is some hundred bytes; more
/// than this is damage.
const LONGEST_DESCRIPTION: usize = 1 << 20;

/// The head of a snapshot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) applied: Applied,
    pub(super) body_bytes: u64,
    pub(super) rows: u64,
    pub(super) sha256: [u8; 32],
}

/// The fixed part, once it has been read.
pub(super) struct Fixed {
    pub(super) description_bytes: usize,
    bytes: [u8; FIXED],
}

impl Head {
    /// Everything that stands before the body.
    pub(super) fn encode(&self) -> Result<Vec<u8>, SnapshotError> {
        let description = codec::encode("a snapshot's description", &AppliedRecord::from(&self.applied))?;
        let length = u32::try_from(description.len()).map_err(|_| damaged("being written", "its description"))?;
        let mut bytes = Vec::with_capacity(FIXED + description.len());
        bytes.extend(MAGIC);
        bytes.extend(FORMAT.to_be_bytes());
        bytes.extend(length.to_be_bytes());
        bytes.extend(self.body_bytes.to_be_bytes());
        bytes.extend(self.rows.to_be_bytes());
        bytes.extend(self.sha256);
        bytes.extend(checksum(&bytes, &description).to_be_bytes());
        bytes.extend(description);
        Ok(bytes)
    }

    /// The fixed part: how long the description is.
    pub(super) fn fixed(what: &str, bytes: [u8; FIXED]) -> Result<Fixed, SnapshotError> {
        let (magic, rest) = bytes.split_at(MAGIC.len());
        if magic != MAGIC {
            return Err(damaged(what, "it does not begin as one"));
        }
        let format = number::<4>(rest, 0);
        if format != u64::from(FORMAT) {
            return Err(SnapshotError::Format { what: what.to_owned(), format: u32::try_from(format).unwrap_or(0) });
        }
        let description_bytes = usize::try_from(number::<4>(rest, 4)).unwrap_or(usize::MAX);
        if description_bytes > LONGEST_DESCRIPTION {
            return Err(damaged(what, "the length of its description"));
        }
        Ok(Fixed { description_bytes, bytes })
    }

    /// All of it, once the description has been read too.
    pub(super) fn decode(what: &str, fixed: &Fixed, description: &[u8]) -> Result<Self, SnapshotError> {
        let (before, crc) = fixed.bytes.split_at(FIXED - 4);
        if u64::from(checksum(before, description)) != number::<4>(crc, 0) {
            return Err(damaged(what, "the checksum of its head"));
        }
        let record: AppliedRecord = codec::decode("a snapshot's description", description)?;
        let mut sha256 = [0; 32];
        sha256.copy_from_slice(&before[32..64]);
        Ok(Self { applied: record.into(), body_bytes: number::<8>(before, 16), rows: number::<8>(before, 24), sha256 })
    }

    /// Bytes of the whole file.
    pub(super) fn total(&self, head_bytes: usize) -> u64 {
        self.body_bytes.saturating_add(head_bytes as u64)
    }

    /// What it is of. The id names the very bytes of the file.
    pub(super) fn meta(&self, head: &[u8]) -> SnapshotMeta {
        use std::fmt::Write;
        let id = Sha256::digest(head).iter().fold(String::with_capacity(64), |mut id, byte| {
            // Writing into a String cannot fail.
            let _ = write!(id, "{byte:02x}");
            id
        });
        applied_record::meta(id, self.applied.clone())
    }
}

fn checksum(before: &[u8], description: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(before);
    hasher.update(description);
    hasher.finalize()
}

/// A number of `N` bytes; those that are not there count as 0.
fn number<const N: usize>(bytes: &[u8], at: usize) -> u64 {
    bytes.iter().skip(at).take(N).fold(0, |number, byte| (number << 8) | u64::from(*byte))
}

pub(super) fn damaged(what: &str, why: impl Into<String>) -> SnapshotError {
    SnapshotError::Damaged { what: what.to_owned(), why: why.into() }
}
