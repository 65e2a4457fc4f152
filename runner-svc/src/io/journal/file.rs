//! The journal's file: framed records, appended; now and then rewritten aside
//! and renamed. Decides nothing by itself but what is due next.

use super::frame;
use super::record::{Image, Record};
use crate::clock;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const NAME: &str = "journal";
const ASIDE: &str = "journal.new";

/// Not rewritten below this size: it is read in a millisecond.
const SMALL: u64 = 1 << 20;

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
    /// A sound record that says nothing to us.
    #[error(
        "the runner's journal {path} has a record at byte {offset} that this version does not know ({source}); start the version that wrote it, or move it away to start afresh (running instances are then ended and started again)"
    )]
    Unknown {
        path: PathBuf,
        offset: u64,
        #[source]
        source: rmp_serde::decode::Error,
    },
}

/// What has to be done about the file, off the runtime's workers.
#[derive(Debug)]
pub(super) enum Due {
    Nothing,
    /// What is in this file has to survive a power cut.
    Sync(Arc<File>),
    Rewrite,
}

#[derive(Debug)]
pub(super) struct JournalFile {
    dir: PathBuf,
    file: Arc<File>,
    len: u64,
    /// Length that it would have if it were rewritten, as last counted.
    least: u64,
    /// Something asked for a sync.
    unsynced: bool,
    /// Made just now: its name is not yet safe from a power cut.
    fresh: bool,
    /// It misses records. Nothing may follow the gap, so nothing is appended
    /// before it has been rewritten from the image.
    broken: bool,
    /// What was appended since a rewriting began.
    tail: Option<Vec<u8>>,
}

impl JournalFile {
    /// Opens the file and adds its records up. Writes nothing: a runner has to
    /// come up on a full disk.
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
        let (mut image, sound) = read(&bytes, &path)?;
        if sound < bytes.len() {
            tracing::warn!(path = %path.display(), offset = sound, "cut off what a power cut left of the last records");
            file.set_len(sound as u64).map_err(io)?;
            file.seek(SeekFrom::Start(sound as u64)).map_err(io)?;
        }
        // The registry drops reports with numbers that it has seen, and a journal can fall behind them: wiped, brought
        // back from a backup, or without its last records after a power cut. Microseconds since 1970 grow faster than
        // any node reports.
        image.count_from(clock::wall().0.unsigned_abs() / 1_000);
        let least = image.bytes().map_err(io)?.len() as u64;
        let fresh = bytes.is_empty();
        let file = Arc::new(file);
        let this = Self {
            dir: dir.to_owned(),
            file,
            len: sound as u64,
            least,
            unsynced: false,
            fresh,
            broken: false,
            tail: None,
        };
        Ok((this, image))
    }

    /// Appends records, which the image has already. An error is told once;
    /// what follows is in the image, and with it in the next rewriting.
    pub(super) fn append(&mut self, records: &[Record], sync: bool) -> io::Result<()> {
        let mut bytes = Vec::new();
        for record in records {
            frame::encode(record, &mut bytes)?;
        }
        if let Some(tail) = &mut self.tail {
            tail.extend_from_slice(&bytes);
        }
        self.unsynced |= sync;
        if self.broken {
            return Ok(());
        }
        if let Err(error) = (&*self.file).write_all(&bytes) {
            self.broken = true;
            // Should we die before the rewriting: what is torn would be cut off anyway.
            let _ = self.file.set_len(self.len);
            return Err(error);
        }
        self.len += bytes.len() as u64;
        Ok(())
    }

    /// After a failed sync the kernel may have dropped what was written
    /// (fsync(2) tells an error once).
    pub(super) fn sync_failed(&mut self) {
        self.broken = true;
    }

    /// Whether something has to be done.
    pub(super) fn owes(&self) -> bool {
        self.broken || self.fresh || self.unsynced || self.is_bulky()
    }

    /// What has to be done next.
    pub(super) fn due(&mut self, may_rewrite: bool) -> Due {
        if may_rewrite && (self.broken || self.fresh || self.is_bulky()) {
            return Due::Rewrite;
        }
        if self.unsynced && !self.broken {
            self.unsynced = false;
            return Due::Sync(self.file.clone());
        }
        Due::Nothing
    }

    fn is_bulky(&self) -> bool {
        self.len > SMALL && self.len > 4 * self.least
    }

    /// From now on appended records are kept aside as well. Returns where and
    /// what to write.
    pub(super) fn begin_rewriting(&mut self, image: &Image) -> io::Result<Rewriting> {
        let bytes = image.bytes()?;
        self.tail = Some(Vec::new());
        self.unsynced = false;
        Ok(Rewriting { dir: self.dir.clone(), bytes })
    }

    /// Takes the rewritten file in place of the old one. Returns true when the
    /// old one had missed records.
    pub(super) fn end_rewriting(&mut self, written: io::Result<(File, u64)>) -> io::Result<bool> {
        let tail = self.tail.take().unwrap_or_default();
        let renamed = written.and_then(|(mut file, len)| {
            file.write_all(&tail)?;
            std::fs::rename(self.dir.join(ASIDE), self.dir.join(NAME))?;
            Ok((file, len))
        });
        match renamed {
            Ok((file, len)) => {
                self.file = Arc::new(file);
                self.len = len + tail.len() as u64;
                self.least = len;
                self.fresh = false;
                Ok(std::mem::take(&mut self.broken))
            }
            Err(error) => {
                self.unsynced = true;
                // It would hold the space that the next try needs.
                let _ = std::fs::remove_file(self.dir.join(ASIDE));
                Err(error)
            }
        }
    }
}

/// A file to be written aside.
#[derive(Debug)]
pub(super) struct Rewriting {
    dir: PathBuf,
    bytes: Vec<u8>,
}

impl Rewriting {
    /// Writes it; slow.
    pub(super) fn write(&self) -> io::Result<(File, u64)> {
        let path = self.dir.join(ASIDE);
        let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        file.write_all(&self.bytes)?;
        file.sync_all()?;
        Ok((file, self.bytes.len() as u64))
    }

    /// Makes the new name safe from a power cut; slow.
    pub(super) fn sync_name(&self) -> io::Result<()> {
        File::open(&self.dir)?.sync_all()
    }
}

/// Adds the records of `bytes` up; returns how many bytes were sound.
fn read(bytes: &[u8], path: &Path) -> Result<(Image, usize), OpenError> {
    let mut image = Image::default();
    let mut at = 0;
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Some((body, size)) = frame::first(rest) else {
            // A power cut tears what was written last; whatever has a sound record behind it was not written last.
            if frame::any(rest) {
                return Err(OpenError::Damaged { path: path.to_owned(), offset: at as u64 });
            }
            break;
        };
        let record = rmp_serde::from_slice(body).map_err(|source| OpenError::Unknown {
            path: path.to_owned(),
            offset: at as u64,
            source,
        })?;
        image.apply(record);
        at += size;
    }
    Ok((image, at))
}

#[cfg(test)]
mod tests;
