//! Rows packed into bytes: a steady instance costs a few bytes per sample.
//!
//! A block starts from a row of zeros and needs nothing outside itself. Each
//! row is a bitmap of the columns that differ from what was expected, then the
//! differences, all as variable-length integers (LEB128, zigzag). Expected is
//! the row before; for the time it is the same step again, so that a sampler
//! that keeps its interval costs nothing but its jitter.

use super::row::{Row, WIDTH};

/// Packs rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Packer {
    bytes: Vec<u8>,
    rows: usize,
    last: Row,
    step: i64,
}

impl Packer {
    pub(super) fn push(&mut self, row: &Row) {
        let expected = expected(&self.last, self.step);
        let mut changed = 0_u64;
        let mut differences = [0_u64; WIDTH];
        for (column, difference) in differences.iter_mut().enumerate() {
            *difference = zigzag(row[column].wrapping_sub(expected[column]));
            changed |= u64::from(*difference != 0) << column;
        }
        write(&mut self.bytes, changed);
        for difference in differences.into_iter().filter(|d| *d != 0) {
            write(&mut self.bytes, difference);
        }
        self.step = row[0].wrapping_sub(self.last[0]);
        self.last = *row;
        self.rows += 1;
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// The packed bytes; the packer begins an empty block.
    pub(super) fn take(&mut self) -> Box<[u8]> {
        std::mem::take(self).bytes.into_boxed_slice()
    }
}

/// Reads the rows of a block, oldest first.
#[derive(Debug, Clone)]
pub(super) struct Rows<'a> {
    bytes: &'a [u8],
    last: Row,
    step: i64,
}

impl<'a> Rows<'a> {
    pub(super) fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, last: Row::default(), step: 0 }
    }
}

impl Iterator for Rows<'_> {
    type Item = Row;

    fn next(&mut self) -> Option<Row> {
        let changed = read(&mut self.bytes)?;
        let mut row = expected(&self.last, self.step);
        for (column, value) in row.iter_mut().enumerate() {
            if changed & (1 << column) != 0 {
                *value = value.wrapping_add(unzigzag(read(&mut self.bytes)?));
            }
        }
        self.step = row[0].wrapping_sub(self.last[0]);
        self.last = row;
        Some(row)
    }
}

fn expected(last: &Row, step: i64) -> Row {
    let mut row = *last;
    row[0] = row[0].wrapping_add(step);
    row
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)).cast_unsigned()
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1).cast_signed() ^ -((value & 1).cast_signed())
}

fn write(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

fn read(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::{Packer, Row, Rows};
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn rows_come_back_as_they_were_packed(rows in prop::collection::vec(any::<Row>(), 0..80)) {
            let mut packer = Packer::default();
            rows.iter().for_each(|row| packer.push(row));
            prop_assert_eq!(packer.rows(), rows.len());
            prop_assert_eq!(Rows::of(packer.bytes()).collect::<Vec<_>>(), rows);
        }

        #[test]
        fn garbage_ends_and_never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(Rows::of(&bytes).count() <= bytes.len());
        }
    }

    #[test]
    fn a_steady_instance_costs_at_most_four_bytes_a_sample() {
        let mut packer = Packer::default();
        let mut row: Row = [1_790_000_000_000, 1_789_000_000_000, 5_000, 0, 10 << 20, 12, 3, 1, 0, 4242];
        packer.push(&row);
        let first = packer.bytes().len();
        for sample in 0..1000 {
            row[0] += 1000 + i64::from(sample % 3 == 0);
            packer.push(&row);
        }
        assert!(packer.bytes().len() - first <= 4000, "{} bytes", packer.bytes().len() - first);
    }
}
