//! One row as one or more values: sled writes a tree node above 128 KiB into a
//! file of its own, and a node holds up to 17 values, so longer rows are cut.
//!
//! ```text
//! key ‖ piece number (2 bytes, big endian) → piece
//! piece 0 begins with: number of pieces (2 bytes) ‖ crc32 of key and row (4 bytes)
//! ```

use super::StateStoreError;
use crate::codec;
use registry_domain::Row;
use sled::Batch;

/// Longest piece: 17 of them and their keys fit into one node.
const PIECE: usize = 6 << 10;
const HEAD: usize = 2 + 4;

/// A row and its checksum.
pub(super) struct Stored {
    pub(super) row: Row,
    pub(super) crc: u32,
}

fn piece_key(key: &[u8], number: u16) -> Vec<u8> {
    [key, &number.to_be_bytes()].concat()
}

fn checksum(key: &[u8], row: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(key);
    hasher.update(row);
    hasher.finalize()
}

/// Adds a row to a batch and returns its checksum.
pub(super) fn put(batch: &mut Batch, key: &[u8], row: &Row) -> Result<u32, StateStoreError> {
    let bytes = codec::encode("a row", row)?;
    let crc = checksum(key, &bytes);
    let pieces: Vec<&[u8]> = bytes.chunks(PIECE).collect();
    let count = u16::try_from(pieces.len())
        .map_err(|_| StateStoreError::Damaged(format!("a row of {} bytes is too long", bytes.len())))?;
    for (number, piece) in (0u16..).zip(pieces) {
        let value = match number {
            0 => [&count.to_be_bytes()[..], &crc.to_be_bytes(), piece].concat(),
            _ => piece.to_vec(),
        };
        batch.insert(piece_key(key, number), value);
    }
    Ok(crc)
}

/// Adds the removal of a row to a batch; its checksum, if it was there.
pub(super) fn remove(db: &sled::Db, batch: &mut Batch, key: &[u8]) -> Result<Option<u32>, StateStoreError> {
    let Some(first) = db.get(piece_key(key, 0))? else { return Ok(None) };
    let (count, crc, _) = head(&first)?;
    for number in 0..count {
        batch.remove(piece_key(key, number));
    }
    Ok(Some(crc))
}

fn head(first: &[u8]) -> Result<(u16, u32, &[u8]), StateStoreError> {
    let short = || StateStoreError::Damaged("a row is cut short".to_owned());
    let (count, rest) = first.split_first_chunk::<2>().ok_or_else(short)?;
    let (crc, rest) = rest.split_first_chunk::<4>().ok_or_else(short)?;
    debug_assert_eq!(first.len() - rest.len(), HEAD);
    Ok((u16::from_be_bytes(*count), u32::from_be_bytes(*crc), rest))
}

/// Every row in the store.
pub(super) fn scan(db: &sled::Db) -> impl Iterator<Item = Result<Stored, StateStoreError>> {
    // Rows begin with a letter; what begins with NUL is the store's own.
    let mut pieces = db.range([1u8]..);
    std::iter::from_fn(move || {
        let (first_key, first) = match pieces.next()? {
            Ok(pair) => pair,
            Err(error) => return Some(Err(error.into())),
        };
        Some(join(&first_key, &first, &mut pieces))
    })
}

fn join(first_key: &[u8], first: &[u8], pieces: &mut sled::Iter) -> Result<Stored, StateStoreError> {
    let damaged = |what: &str| StateStoreError::Damaged(what.to_owned());
    let key = match first_key.split_last_chunk::<2>() {
        Some((key, [0, 0])) => key,
        Some(_) | None => return Err(damaged("a row has no beginning")),
    };
    let (count, crc, beginning) = head(first)?;
    let mut bytes = beginning.to_vec();
    for number in 1..count {
        let (next_key, piece) = pieces.next().ok_or_else(|| damaged("a row has no end"))??;
        if *next_key != piece_key(key, number)[..] {
            return Err(damaged("a piece of a row is missing"));
        }
        bytes.extend_from_slice(&piece);
    }
    if checksum(key, &bytes) != crc {
        return Err(damaged("the checksum of a row is wrong"));
    }
    Ok(Stored { row: codec::decode("a row", &bytes)?, crc })
}
