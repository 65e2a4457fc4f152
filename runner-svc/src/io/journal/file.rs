//! The journal's file: framed records, appended; rewritten aside and renamed.

use super::record::{Image, Record};
use crate::clock;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

const NAME: &str = "journal";

/// Not rewritten below this size: it is read in a millisecond.
const SMALL: u64 = 1 << 20;

/// Length and CRC-32.
const HEADER: usize = 8;

/// Why a journal cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    /// The disk says no.
    #[error("cannot open the runner's journal {path}: {source}")]
    Io {
        path: PathBuf,
        #[source]
        source: io::Error,
    },
    /// Damage before the end: records behind it would be lost silently.
    #[error(
        "the runner's journal {path} is damaged at byte {offset}; move it away to start afresh (running instances are then ended and started again)"
    )]
    Damaged { path: PathBuf, offset: u64 },
}

#[derive(Debug)]
pub(super) struct JournalFile {
    dir: PathBuf,
    file: File,
    len: u64,
    /// Length after the last rewriting.
    rewritten: u64,
}

impl JournalFile {
    /// Opens the file and adds its records up.
    pub(super) fn open(dir: &Path) -> Result<(Self, Image), OpenError> {
        let path = dir.join(NAME);
        let io = |source| OpenError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(io)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        let mut image = Image::default();
        if bytes.is_empty() {
            // The registry drops reports with numbers that it has seen. A node whose journal was wiped has to begin
            // above them: microseconds since 1970 grow faster than any node reports.
            image.next_seq = clock::wall().0.unsigned_abs() / 1_000;
        }
        let mut at = 0;
        while at < bytes.len() {
            match decode(bytes.get(at..).unwrap_or_default()) {
                Some((record, size)) => {
                    image.apply(record);
                    at += size;
                }
                None if is_tail(bytes.get(at..).unwrap_or_default()) => break,
                None => return Err(OpenError::Damaged { path, offset: at as u64 }),
            }
        }
        let mut this = Self { dir: dir.to_owned(), file, len: at as u64, rewritten: 0 };
        this.rewrite(&image).map_err(io)?;
        Ok((this, image))
    }

    /// Appends records; `image` is what everything adds up to then.
    pub(super) fn append(&mut self, records: &[Record], sync: bool, image: &Image) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in records {
            encode(record, &mut bytes)?;
        }
        if let Err(e) = self.file.write_all(&bytes) {
            // Take a torn record back, or the next one would follow it and be lost with it.
            self.file.set_len(self.len)?;
            self.file.seek(SeekFrom::Start(self.len))?;
            return Err(e);
        }
        self.len += bytes.len() as u64;
        if sync {
            self.file.sync_data()?;
        }
        if self.len > SMALL && self.len > 4 * self.rewritten { self.rewrite(image) } else { Ok(()) }
    }

    fn rewrite(&mut self, image: &Image) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in image.records() {
            encode(&record, &mut bytes)?;
        }
        let aside = self.dir.join(format!("{NAME}.new"));
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&aside, self.dir.join(NAME))?;
        File::open(&self.dir)?.sync_all()?;
        self.file = file;
        self.len = bytes.len() as u64;
        self.rewritten = self.len;
        Ok(())
    }
}

fn encode(record: &Record, out: &mut Vec<u8>) -> io::Result<()> {
    let body = rmp_serde::to_vec_named(record).map_err(io::Error::other)?;
    let len = u32::try_from(body.len()).map_err(io::Error::other)?;
    out.extend_from_slice(&len.to_le_bytes());
    out.extend_from_slice(&crc32fast::hash(&body).to_le_bytes());
    out.extend_from_slice(&body);
    Ok(())
}

/// The first record and its size; `None` when it is not whole or not sound.
fn decode(bytes: &[u8]) -> Option<(Record, usize)> {
    let len = u32::from_le_bytes(*bytes.first_chunk::<4>()?) as usize;
    let crc = u32::from_le_bytes(*bytes.get(4..)?.first_chunk::<4>()?);
    let body = bytes.get(HEADER..HEADER + len)?;
    if crc32fast::hash(body) != crc {
        return None;
    }
    Some((rmp_serde::from_slice(body).ok()?, HEADER + len))
}

/// Whether unsound bytes can be what a power cut left of the last append: the
/// record reaches to the end of the file or beyond, or nothing but zeros is
/// left.
fn is_tail(bytes: &[u8]) -> bool {
    let reaches_end =
        bytes.first_chunk::<4>().is_none_or(|header| HEADER + u32::from_le_bytes(*header) as usize >= bytes.len());
    reaches_end || bytes.iter().all(|byte| *byte == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fill(dir: &Path, n: usize) {
        let (mut file, mut image) = JournalFile::open(dir).unwrap();
        for i in 0..n {
            let record = Record::Joined(format!("cluster {i}"));
            image.apply(record.clone());
            file.append(&[record], false, &image).unwrap();
        }
    }

    #[test]
    fn what_was_appended_is_there_after_opening_anew() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), 3);
        let (_, image) = JournalFile::open(dir.path()).unwrap();
        assert_eq!(image.cluster.as_deref(), Some("cluster 2"));
    }

    #[test]
    fn a_torn_tail_is_cut_off_and_damage_before_it_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        fill(dir.path(), 3);
        let path = dir.path().join(NAME);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() - 3]).unwrap();
        let (_, image) = JournalFile::open(dir.path()).unwrap();
        assert_eq!(image.cluster.as_deref(), Some("cluster 1"));
        let mut damaged = whole;
        damaged[HEADER + 2] ^= 0x40;
        std::fs::write(&path, damaged).unwrap();
        assert!(matches!(JournalFile::open(dir.path()), Err(OpenError::Damaged { offset: 0, .. })));
    }
}
