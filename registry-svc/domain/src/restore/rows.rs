//! Pieces → rows. As in a snapshot: `{ length (4, big endian) ‖ row }…`.

use super::Piece;
use crate::Row;
use crate::digest::Sum;
use std::collections::BTreeMap;
use std::io::{self, Read};
use std::sync::Arc;

/// Longest row; what says that it is longer is no row.
const LONGEST: u32 = 64 << 20;

/// All rows, and their digest.
pub(super) fn read(pieces: &BTreeMap<u32, Arc<Piece>>) -> Result<(Vec<Row>, [u8; 32]), String> {
    let mut bytes = Joined { pieces: pieces.values(), rest: &[] };
    let (mut rows, mut sum, mut row) = (Vec::new(), Sum::default(), Vec::new());
    loop {
        let mut length = [0; 4];
        match bytes.read(&mut length[..1]).map_err(|e| e.to_string())? {
            0 => return Ok((rows, sum.digest())),
            _ => bytes.read_exact(&mut length[1..]).map_err(|_| short(rows.len()))?,
        }
        let length = u32::from_be_bytes(length);
        if length > LONGEST {
            return Err(format!("row {} says that it has {length} bytes", rows.len() + 1));
        }
        row.resize(length as usize, 0);
        bytes.read_exact(&mut row).map_err(|_| short(rows.len()))?;
        sum.add(&row);
        rows.push(rmp_serde::from_slice(&row).map_err(|e| format!("row {} is not known: {e}", rows.len() + 1))?);
    }
}

fn short(rows: usize) -> String {
    format!("row {} is cut short", rows + 1)
}

/// Pieces, read from one end to the other.
struct Joined<'a, I> {
    pieces: I,
    rest: &'a [u8],
}

impl<'a, I: Iterator<Item = &'a Arc<Piece>>> Read for Joined<'a, I> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() {
            match self.pieces.next() {
                Some(piece) => self.rest = &piece.bytes,
                None => return Ok(0),
            }
        }
        self.rest.read(to)
    }
}
