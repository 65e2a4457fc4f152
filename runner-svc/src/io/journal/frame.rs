//! One record as bytes: length, CRC-32 of the body, CRC-32 of these two, then
//! the body (MessagePack with field names).
//!
//! The header has a sum of its own, or a flipped bit in a length could not be
//! told from a record that a power cut left unfinished.

use super::record::Record;
use std::io;

/// Length, sum of the body, sum of the header.
const HEADER: usize = 12;

/// Appends `record` to `out`.
pub(super) fn encode(record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
    let body = rmp_serde::to_vec_named(record).map_err(io::Error::other)?;
    let len = u32::try_from(body.len()).map_err(io::Error::other)?;
    let start = out.len();
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    let sum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_le_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// The body that `bytes` begin with, and the size of its frame; `None` when it
/// is not whole or not sound.
pub(super) fn first(bytes: &[u8]) -> Option<(&[u8], usize)> {
    let word = |at: usize| bytes.get(at..)?.first_chunk::<4>().copied().map(u32::from_le_bytes);
    let (len, body_sum, header_sum) = (word(0)?, word(4)?, word(8)?);
    if crc32fast::hash(bytes.get(..8)?) != header_sum {
        return None;
    }
    let size = HEADER.checked_add(usize::try_from(len).ok()?)?;
    let body = bytes.get(HEADER..size)?;
    (crc32fast::hash(body) == body_sum).then_some((body, size))
}

/// Whether a sound frame begins anywhere in `bytes`.
pub(super) fn any(bytes: &[u8]) -> bool {
    (0..bytes.len()).any(|at| bytes.get(at..).is_some_and(|rest| first(rest).is_some()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<u8> {
        let mut bytes = Vec::new();
        for name in ["one", "two"] {
            encode(&Record::Joined(name.to_owned()), &mut bytes).unwrap();
        }
        bytes
    }

    #[test]
    fn no_flipped_bit_of_a_frame_goes_unnoticed() {
        let whole = frames();
        let (_, size) = first(&whole).unwrap();
        for bit in 0..size * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(first(&bytes).is_none(), "bit {bit}");
            assert!(any(&bytes[1..]), "the second frame is not found behind bit {bit}");
        }
    }

    #[test]
    fn a_frame_that_was_cut_anywhere_holds_no_frame() {
        let whole = frames();
        let (_, size) = first(&whole).unwrap();
        assert!((0..size).all(|len| !any(&whole[..len])));
        assert!(!any(&[0; 64]));
    }
}
