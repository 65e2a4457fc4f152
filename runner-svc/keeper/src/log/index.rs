//! The index beside a log file: when its bytes were written, where runs began,
//! and where the file stands in all that its output ever wrote.
//!
//! A header of 64 bytes, then records of 24; numbers are little-endian.
//!
//! | header | bytes |
//! |---|---|
//! | magic `PMLOGIX1` | 0–8 |
//! | lineage: names the output's history; another one: positions begin anew | 8–16 |
//! | base: bytes that the history had before this file | 16–24 |
//! | created, nanoseconds since 1970 | 24–32 |
//! | retention in seconds, 0: none | 32–40 |
//! | quota of the process in bytes, 0: none | 40–48 |
//! | compression: 0 none, 1 gzip, 2 zstd | 48 |
//! | zeros | 49–60 |
//! | check | 60–64 |
//!
//! | record | bytes |
//! |---|---|
//! | kind: 1 written, 2 a run began, 3 rotated away, 4 closed | 0 |
//! | zeros | 1–4 |
//! | check | 4–8 |
//! | time, nanoseconds since 1970 | 8–16 |
//! | offset in the file, before any compression | 16–24 |
//!
//! A check is FNV-1a over the other bytes. A record of kind *written* says
//! that the bytes from its offset to the next record's were written within
//! [`SPAN`] of its time: there is one for each second in which something was
//! written, or for each 64 KiB. What is damaged is skipped: the file beside is
//! the truth, an index only saves looking for a time in it.

use process_model::spec::Compression;
use std::io;
use std::path::Path;

/// Bytes of a header.
pub const HEADER: usize = 64;
/// Bytes of a record.
pub const RECORD: usize = 24;
/// A record stands for what is written within so many nanoseconds.
pub const SPAN: i64 = 1_000_000_000;

const MAGIC: [u8; 8] = *b"PMLOGIX1";

/// Longest index that is read: a record for each second of six years.
const LONGEST: u64 = 4 << 30;

/// Where a file stands, and how it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Names the history.
    pub lineage: u64,
    /// Bytes before this file.
    pub base: u64,
    /// When it was made, in nanoseconds since 1970.
    pub created: i64,
    /// Seconds that it is kept once rotated away; 0: no such rule.
    pub retention: u64,
    /// Bytes of all files of the process; 0: no such rule.
    pub quota: u64,
    /// What becomes of it once rotated away.
    pub compress: Compression,
}

/// What a record tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What follows was written from this time on.
    Written,
    /// A run began here.
    Run,
    /// The file was rotated away; nothing follows.
    Rotated,
    /// Whoever wrote it has closed it; another run may go on.
    Closed,
}

/// One record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Record {
    /// What it tells.
    pub kind: Kind,
    /// When, in nanoseconds since 1970.
    pub time: i64,
    /// Where.
    pub offset: u64,
}

/// An index that was read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Index {
    /// `None`: damaged; nothing of the index can be relied on.
    pub header: Option<Header>,
    /// Ordered by offset.
    pub records: Vec<Record>,
}

fn check(parts: [&[u8]; 2]) -> u32 {
    let mut hash = 0x811c_9dc5_u32;
    for byte in parts.into_iter().flatten() {
        hash = (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193);
    }
    hash
}

fn put(bytes: &mut [u8], at: usize, number: u64) {
    if let Some(place) = bytes.get_mut(at..at + 8) {
        place.copy_from_slice(&number.to_le_bytes());
    }
}

fn number(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
}

impl Header {
    /// As it is in a file.
    #[must_use]
    pub fn encode(&self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        put(&mut bytes, 0, u64::from_le_bytes(MAGIC));
        put(&mut bytes, 8, self.lineage);
        put(&mut bytes, 16, self.base);
        put(&mut bytes, 24, self.created.cast_unsigned());
        put(&mut bytes, 32, self.retention);
        put(&mut bytes, 40, self.quota);
        bytes[48] = match self.compress {
            Compression::None => 0,
            Compression::Gzip => 1,
            Compression::Zstd => 2,
        };
        let sum = check([&bytes[..60], &[]]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None`: it is none, or damaged.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..HEADER)?;
        let sum = bytes.get(60..64)?.try_into().ok().map(u32::from_le_bytes)?;
        if bytes.get(..8)? != MAGIC || sum != check([bytes.get(..60)?, &[]]) {
            return None;
        }
        let compress = match bytes.get(48)? {
            0 => Compression::None,
            1 => Compression::Gzip,
            _ => Compression::Zstd,
        };
        Some(Self {
            lineage: number(bytes, 8)?,
            base: number(bytes, 16)?,
            created: number(bytes, 24)?.cast_signed(),
            retention: number(bytes, 32)?,
            quota: number(bytes, 40)?,
            compress,
        })
    }

    /// The header of the index at this path.
    ///
    /// # Errors
    /// There is none, or it is damaged.
    pub fn read(path: &Path) -> io::Result<Self> {
        let mut bytes = [0; HEADER];
        io::Read::read_exact(&mut std::fs::File::open(path)?, &mut bytes)?;
        Self::decode(&bytes).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the index is damaged"))
    }
}

impl Record {
    /// As it is in a file.
    #[must_use]
    pub fn encode(&self) -> [u8; RECORD] {
        let mut bytes = [0; RECORD];
        bytes[0] = match self.kind {
            Kind::Written => 1,
            Kind::Run => 2,
            Kind::Rotated => 3,
            Kind::Closed => 4,
        };
        put(&mut bytes, 8, self.time.cast_unsigned());
        put(&mut bytes, 16, self.offset);
        let sum = check([&bytes[..4], &bytes[8..]]);
        bytes[4..8].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None`: damaged, or of a kind that is not known here.
    #[must_use]
    pub fn decode(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.get(..RECORD)?;
        let sum = bytes.get(4..8)?.try_into().ok().map(u32::from_le_bytes)?;
        if sum != check([bytes.get(..4)?, bytes.get(8..)?]) {
            return None;
        }
        let kind = match bytes.first()? {
            1 => Kind::Written,
            2 => Kind::Run,
            3 => Kind::Rotated,
            4 => Kind::Closed,
            _ => return None,
        };
        Some(Self { kind, time: number(bytes, 8)?.cast_signed(), offset: number(bytes, 16)? })
    }
}

impl Index {
    /// Reads what is there; what is damaged is left out.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Self {
        let header = Header::decode(bytes);
        let mut records: Vec<Record> = Vec::new();
        if header.is_some() {
            for record in bytes.get(HEADER..).unwrap_or_default().chunks_exact(RECORD).filter_map(Record::decode) {
                // Offsets only grow; one that does not is of a file that was there before.
                if records.last().is_none_or(|last| last.offset <= record.offset) {
                    records.push(record);
                }
            }
        }
        Self { header, records }
    }

    /// Reads the index at this path; none, or an unreadable one, is an empty
    /// one.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let read = || -> io::Result<Vec<u8>> {
            let mut bytes = Vec::new();
            io::Read::read_to_end(&mut io::Read::take(std::fs::File::open(path)?, LONGEST), &mut bytes)?;
            Ok(bytes)
        };
        read().map(|bytes| Self::parse(&bytes)).unwrap_or_default()
    }

    fn written(&self) -> impl Iterator<Item = &Record> {
        self.records.iter().filter(|record| matches!(record.kind, Kind::Written))
    }

    /// Where to begin so that nothing written at `since` or later is missed;
    /// `None`: nothing was.
    #[must_use]
    pub fn seek(&self, since: i64) -> Option<u64> {
        let mut written = self.written().peekable();
        if written.peek().is_none() {
            // Nothing is known: everything may be later.
            return Some(0);
        }
        written.find(|record| record.time.saturating_add(SPAN) > since).map(|record| record.offset)
    }

    /// Where the first byte is that was written after `until`; `None`: there
    /// is none that is known.
    #[must_use]
    pub fn end(&self, until: i64) -> Option<u64> {
        self.written().find(|record| record.time > until).map(|record| record.offset)
    }

    /// When the byte at `offset` was written, and where what was written then
    /// ends, as far as is known.
    #[must_use]
    pub fn time_at(&self, offset: u64) -> Option<(i64, Option<u64>)> {
        let next = self.records.partition_point(|record| record.offset <= offset);
        let before = self.records.get(..next)?.iter().rev().find(|record| matches!(record.kind, Kind::Written))?;
        let after = self.records.get(next..)?.iter().find(|record| matches!(record.kind, Kind::Written));
        Some((before.time, after.map(|record| record.offset)))
    }

    /// Where runs began.
    pub fn runs(&self) -> impl Iterator<Item = u64> {
        self.records.iter().filter(|record| matches!(record.kind, Kind::Run)).map(|record| record.offset)
    }

    /// The last record.
    #[must_use]
    pub fn last(&self) -> Option<&Record> {
        self.records.last()
    }
}

#[cfg(test)]
#[path = "index_tests.rs"]
mod tests;
