//! What lies behind the end of a log. Pure.

use crate::Lsn;
use crate::format::{Raw, Unsound};

/// Evidence from behind the end.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Remains {
    /// The latest group of which a sound record was found.
    group: Lsn,
    /// Whether a record begins at the end that is not whole.
    torn: bool,
}

/// More records than a log could lose at once; a larger number is no number.
const FAR: Lsn = 1 << 32;

impl Remains {
    /// Looks at the rest of a segment for records that claim to be of it, by
    /// its tag, and to come after `last`. Records begin at multiples of eight.
    pub(super) fn look(&mut self, bytes: &[u8], from: usize, tag: u64, last: Lsn) {
        self.torn |= matches!(Raw::read(bytes.get(from..).unwrap_or_default(), tag), Err(Unsound::Torn));
        for at in (from..bytes.len()).step_by(8) {
            if let Ok(raw) = Raw::within(&bytes[at..], tag, last + FAR)
                && raw.chain.lsn > last
            {
                self.group = self.group.max(raw.chain.group);
            }
        }
    }

    /// Whether the record after `last` was durable: a group that began after
    /// it was written, which happens only after everything before is synced.
    pub(super) fn prove_durable(&self, last: Lsn) -> bool {
        self.group > last + 1
    }

    /// Whether a write was cut short right after `last`.
    pub(super) fn are_torn(&self, last: Lsn) -> bool {
        self.torn || self.group == last + 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Position;
    use crate::format::{Chain, Change, encode};

    /// Records 5 (alone in its group) and 6, 7 (one group) of the segment with tag 3.
    fn segment() -> (Vec<u8>, Vec<usize>) {
        let (mut bytes, mut starts, mut previous) = (Vec::new(), Vec::new(), 0);
        for (lsn, group) in [(5, 5), (6, 6), (7, 6)] {
            starts.push(bytes.len());
            let change = Change::Entry(Position { term: 1, index: lsn });
            previous = encode(&mut bytes, &Chain { lsn, group, tag: 3, previous }, &change, b"payload");
        }
        bytes.resize(bytes.len() + 4096, 0);
        (bytes, starts)
    }

    fn remains(bytes: &[u8], from: usize, last: Lsn) -> Remains {
        let mut remains = Remains::default();
        remains.look(bytes, from, 3, last);
        remains
    }

    #[test]
    fn a_hole_within_the_last_group_is_a_crash() {
        let (mut bytes, starts) = segment();
        bytes[starts[1]..starts[2]].fill(0);
        let found = remains(&bytes, starts[1], 5);
        assert!(!found.prove_durable(5) && found.are_torn(5));
    }

    #[test]
    fn a_hole_before_a_later_group_is_damage() {
        let (mut bytes, starts) = segment();
        bytes[starts[0]] ^= 1;
        assert!(remains(&bytes, starts[0], 4).prove_durable(4));
    }

    #[test]
    fn zeros_and_records_of_other_segments_are_nothing() {
        let (bytes, starts) = segment();
        let mut other = Remains::default();
        other.look(&bytes, starts[0], 4, 4);
        assert!(!other.prove_durable(4) && !other.are_torn(4));
        let end = bytes.len() - 4096;
        let found = remains(&bytes, end, 7);
        assert!(!found.prove_durable(7) && !found.are_torn(7));
    }

    #[test]
    fn what_was_cut_off_before_proves_nothing_later() {
        // Record 6 was cut off and 7 stayed behind it; meanwhile the log came
        // to record 6 again, another one.
        let (bytes, starts) = segment();
        let found = remains(&bytes, starts[2], 6);
        assert!(!found.prove_durable(6) && !found.are_torn(6));
    }
}
