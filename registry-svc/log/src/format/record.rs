//! Writing records.

use super::fields::Put as _;
use super::raw::FRAME;
use super::{Chain, Change, Head, Raw};

/// Bytes of an entry on the disk.
pub(crate) const fn size_of_entry(payload: usize) -> u64 {
    ((FRAME + payload).next_multiple_of(8)) as u64
}

/// Bytes of any other record on the disk; for an entry, those of its frame.
pub(crate) const fn size_of_change(change: &Change) -> u64 {
    size_of_entry(match change {
        Change::Head(_) => Head::BYTES,
        Change::Truncate { .. } => 24,
        Change::Vote(_) => 32,
        Change::Entry(_) | Change::Purge(_) => 0,
    })
}

/// The most that a record without an entry takes.
pub(crate) const LARGEST_CHANGE: u64 = size_of_entry(Head::BYTES);

/// Appends a record and returns its checksum. `payload` is an entry's and
/// empty for everything else.
pub(crate) fn encode(out: &mut Vec<u8>, chain: &Chain, change: &Change, payload: &[u8]) -> u32 {
    let start = out.len();
    let (kind, term, index) = match change {
        Change::Head(_) => (Raw::HEAD, 0, 0),
        Change::Entry(at) => (Raw::ENTRY, at.term, at.index),
        Change::Truncate { from, .. } => (Raw::TRUNCATE, 0, *from),
        Change::Purge(upto) => (Raw::PURGE, upto.term, upto.index),
        Change::Vote(_) => (Raw::VOTE, 0, 0),
    };
    out.extend([0; 8]);
    out.extend([kind, 0, 0, 0]);
    out.put_u32(chain.previous);
    for field in [chain.lsn, chain.group, chain.tag, term, index] {
        out.put_u64(field);
    }
    match change {
        Change::Head(head) => head.put(out),
        Change::Truncate { last, .. } => out.put_position(*last),
        Change::Vote(vote) => out.put_vote(vote),
        Change::Entry(_) | Change::Purge(_) => out.extend_from_slice(payload),
    }
    // A request larger than a segment is refused, and a segment has at most 2^30 bytes.
    let len = (out.len() - start - FRAME) as u32;
    out.resize(start + (out.len() - start).next_multiple_of(8), 0);
    out[start + 4..start + 8].copy_from_slice(&len.to_le_bytes());
    let crc = crc32fast::hash(&out[start + 4..]);
    out[start..start + 4].copy_from_slice(&crc.to_le_bytes());
    crc
}

#[cfg(test)]
mod tests {
    use super::super::Unsound;
    use super::*;
    use crate::{Position, Vote};

    fn changes() -> Vec<Change> {
        let at = Position { term: 3, index: 41 };
        let vote = Vote { term: 7, voted_for: Some(2), committed: true };
        let head = Head { boot: 5, vote: Some(vote), purged: None, last: Some(at) };
        vec![
            Change::Head(head),
            Change::Head(Head::default()),
            Change::Entry(at),
            Change::Truncate { from: 40, last: None },
            Change::Truncate { from: 42, last: Some(at) },
            Change::Purge(at),
            Change::Vote(vote),
            Change::Vote(Vote { term: 0, voted_for: None, committed: false }),
        ]
    }

    fn payload_of(change: &Change) -> &'static [u8] {
        if matches!(change, Change::Entry(_)) { b"what it says" } else { b"" }
    }

    #[test]
    fn every_kind_reads_back_as_it_was_written_with_the_size_that_was_said() {
        for change in changes() {
            let (mut bytes, payload) = (Vec::new(), payload_of(&change));
            let chain = Chain { lsn: 9, group: 8, tag: 4, previous: 77 };
            let crc = encode(&mut bytes, &chain, &change, payload);
            let said = if payload.is_empty() { size_of_change(&change) } else { size_of_entry(payload.len()) };
            assert_eq!(bytes.len() as u64, said, "{change:?}");
            assert!(said <= LARGEST_CHANGE, "{change:?}");
            bytes.extend([0xff; 64]);
            let raw = Raw::read(&bytes, 4).unwrap();
            assert_eq!((raw.chain, raw.crc, raw.size as u64), (chain, crc, said));
            assert_eq!(raw.change(), Some(change));
            assert!(payload.is_empty() || raw.payload == payload);
        }
    }

    #[test]
    fn a_record_with_any_flipped_bit_cut_short_or_in_another_segment_is_unsound() {
        for change in changes() {
            let mut bytes = Vec::new();
            encode(&mut bytes, &Chain { lsn: 9, group: 8, tag: 4, previous: 77 }, &change, payload_of(&change));
            for bit in 0..bytes.len() * 8 {
                let mut flipped = bytes.clone();
                flipped[bit / 8] ^= 1 << (bit % 8);
                assert!(Raw::read(&flipped, 4).is_err(), "bit {bit} of {change:?}");
            }
            for len in 0..bytes.len() {
                assert!(Raw::read(&bytes[..len], 4).is_err(), "{change:?} cut to {len}");
            }
            assert_eq!(Raw::read(&bytes, 5), Err(Unsound::Other));
        }
        assert_eq!(Raw::read(&[0; 256], 4), Err(Unsound::Other));
    }
}
