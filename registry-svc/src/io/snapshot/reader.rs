//! A snapshot's bytes, wherever they are → verified, whole → rows. Nothing is
//! taken from bytes that have not been verified to the end.

use super::SnapshotError;
use super::head::{FIXED, Head, damaged};
use crate::codec;
use registry_consensus::{SnapshotMeta, SnapshotSource};
use registry_domain::State;
use sha2::{Digest, Sha256};
use std::io::{self, Read};

/// Bytes read in one go.
const CHUNK: usize = 256 << 10;

/// A snapshot that has been verified.
pub(crate) struct Verified<'a> {
    what: String,
    source: &'a dyn SnapshotSource,
    head: Head,
    head_bytes: usize,
    /// What it is of, as its own bytes say.
    pub(crate) meta: SnapshotMeta,
}

/// Reads all of it once.
///
/// # Errors
/// It is damaged, or cannot be read.
pub(crate) fn verify<'a>(what: &str, source: &'a dyn SnapshotSource) -> Result<Verified<'a>, SnapshotError> {
    let io = |source| SnapshotError::Io { path: what.to_owned(), source };
    let short = |_| damaged(what, "it is cut short");
    let mut bytes = Bytes { source, at: 0, chunk: bytes::Bytes::new() };
    let mut fixed = [0; FIXED];
    bytes.read_exact(&mut fixed).map_err(short)?;
    let fixed_part = Head::fixed(what, fixed)?;
    let mut description = vec![0; fixed_part.description_bytes];
    bytes.read_exact(&mut description).map_err(short)?;
    let head = Head::decode(what, &fixed_part, &description)?;
    let first = [&fixed[..], &description].concat();
    if head.total(first.len()) != source.len() {
        let why = format!("it has {} bytes, and {} were written", source.len(), head.total(first.len()));
        return Err(damaged(what, why));
    }
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        match bytes.read(&mut buffer).map_err(io)? {
            0 => break,
            read => hasher.update(&buffer[..read]),
        }
    }
    if <[u8; 32]>::from(hasher.finalize()) != head.sha256 {
        return Err(damaged(what, "the checksum of its body"));
    }
    Ok(Verified { what: what.to_owned(), source, meta: head.meta(&first), head_bytes: first.len(), head })
}

impl Verified<'_> {
    /// The state in it.
    ///
    /// # Errors
    /// A later version wrote a row that this one does not know, or the bytes
    /// are no longer what they were.
    pub(crate) fn state(&self) -> Result<State, SnapshotError> {
        let again = |_| damaged(&self.what, "it changed while it was read");
        let mut bytes = Bytes { source: self.source, at: self.head_bytes as u64, chunk: bytes::Bytes::new() };
        let mut state = State::default();
        let mut row = Vec::new();
        for _ in 0..self.head.rows {
            let mut length = [0; 4];
            bytes.read_exact(&mut length).map_err(again)?;
            row.resize(u32::from_be_bytes(length) as usize, 0);
            bytes.read_exact(&mut row).map_err(again)?;
            state.load(codec::decode("a row", &row)?);
        }
        Ok(state)
    }
}

/// A source, read from one end to the other.
struct Bytes<'a> {
    source: &'a dyn SnapshotSource,
    at: u64,
    chunk: bytes::Bytes,
}

impl Read for Bytes<'_> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.chunk.is_empty() {
            self.chunk = self.source.read_at(self.at, CHUNK)?;
            self.at += self.chunk.len() as u64;
        }
        let count = to.len().min(self.chunk.len());
        to[..count].copy_from_slice(&self.chunk.split_to(count));
        Ok(count)
    }
}
