//! The first block of a segment.

use super::fields::{Fields, Put as _};
use super::{BLOCK, FORMAT};
use crate::Identity;

/// `magic | format | crc32 of the block with this field 0 | identity | number | size | tag`, zeros to 4 KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) identity: Identity,
    /// Segments count from 1; numbers are never used twice.
    pub(crate) number: u64,
    /// Bytes of the file.
    pub(crate) bytes: u64,
    /// A number that nobody can guess, not 0, drawn for each use of a file. It
    /// stands in each record of the segment, so neither what an earlier use
    /// left in it nor a payload that imitates a record is taken for one.
    pub(crate) tag: u64,
}

const MAGIC: &[u8; 8] = b"PMLOGSEG";
/// Where the checksum stands, in both kinds of blocks.
const CRC_AT: usize = 12;

impl SegmentHeader {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut out = begin(MAGIC);
        out.put_identity(&self.identity);
        out.put_u64(self.number);
        out.put_u64(self.bytes);
        out.put_u64(self.tag);
        finish(out)
    }

    /// `Err` with the number of the format when that is another one, `None`
    /// when the block is no header.
    pub(crate) fn read(block: &[u8]) -> Option<Result<Self, u32>> {
        let mut fields = match verified(block, MAGIC)? {
            Ok(fields) => fields,
            Err(format) => return Some(Err(format)),
        };
        let (identity, number, bytes, tag) = (fields.identity()?, fields.u64()?, fields.u64()?, fields.u64()?);
        Some(Ok(Self { identity, number, bytes, tag }))
    }
}

pub(super) fn begin(magic: &[u8; 8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(BLOCK as usize);
    out.extend(magic);
    out.put_u32(FORMAT);
    out.put_u32(0);
    out
}

pub(super) fn finish(mut block: Vec<u8>) -> Vec<u8> {
    block.resize(BLOCK as usize, 0);
    let crc = crc32fast::hash(&block);
    block[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    block
}

/// The fields behind the checksum. A foreign format is told only when the
/// block is whole: else it is damage.
pub(super) fn verified<'a>(block: &'a [u8], magic: &[u8; 8]) -> Option<Result<Fields<'a>, u32>> {
    let block = block.get(..BLOCK as usize)?;
    let mut fields = Fields(block);
    let (found, format, crc) = (fields.array::<8>()?, fields.u32()?, fields.u32()?);
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&block[..CRC_AT]);
    hasher.update(&[0; 4]);
    hasher.update(&block[CRC_AT + 4..]);
    if found != *magic || hasher.finalize() != crc {
        return None;
    }
    Some(if format == FORMAT { Ok(fields) } else { Err(format) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_reads_back_and_any_flipped_bit_is_noticed() {
        let identity = Identity { cluster: [1; 16], replica: 2, epoch: 3, store: [4; 16] };
        let header = SegmentHeader { identity, number: 5, bytes: 65536, tag: 6 };
        let block = header.encode();
        assert_eq!(block.len() as u64, BLOCK);
        assert_eq!(SegmentHeader::read(&block), Some(Ok(header)));
        for bit in 0..block.len() * 8 {
            let mut flipped = block.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(SegmentHeader::read(&flipped), None, "bit {bit}");
        }
    }

    #[test]
    fn a_whole_header_of_another_format_is_told_from_damage() {
        let mut block = begin(MAGIC);
        block[8..12].copy_from_slice(&2_u32.to_le_bytes());
        assert_eq!(SegmentHeader::read(&finish(block)), Some(Err(2)));
    }
}
