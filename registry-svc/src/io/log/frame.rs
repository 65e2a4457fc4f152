//! A value with its place and checksum: `crc32 | index | term | payload`,
//! little endian. redb verifies nothing on a normal read, and a value that
//! stands where another belongs has a good checksum of its own.

use super::LogError;

const HEAD: usize = 4 + 8 + 8;

/// Wraps a payload.
pub(super) fn wrap(index: u64, term: u64, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(HEAD + payload.len());
    frame.extend([0; 4]);
    frame.extend(index.to_le_bytes());
    frame.extend(term.to_le_bytes());
    frame.extend(payload);
    let crc = crc32fast::hash(&frame[4..]);
    frame[..4].copy_from_slice(&crc.to_le_bytes());
    frame
}

/// The payload, if the frame is undamaged and stands at its place.
pub(super) fn unwrap<'a>(what: &str, index: u64, frame: &'a [u8]) -> Result<&'a [u8], LogError> {
    let bad = || LogError::BadFrame { what: what.to_owned() };
    let (crc, rest) = frame.split_first_chunk::<4>().ok_or_else(bad)?;
    let (place, _) = rest.split_first_chunk::<8>().ok_or_else(bad)?;
    if crc32fast::hash(rest) != u32::from_le_bytes(*crc) || u64::from_le_bytes(*place) != index {
        return Err(bad());
    }
    frame.get(HEAD..).ok_or_else(bad)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_with_any_flipped_bit_or_at_another_place_is_refused() {
        let frame = wrap(7, 3, b"payload");
        assert_eq!(unwrap("x", 7, &frame).unwrap(), b"payload");
        assert!(unwrap("x", 8, &frame).is_err());
        for bit in 0..frame.len() * 8 {
            let mut damaged = frame.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(unwrap("x", 7, &damaged).is_err(), "bit {bit}");
        }
        for len in 0..frame.len() {
            assert!(unwrap("x", 7, &frame[..len]).is_err(), "cut to {len}");
        }
    }
}
